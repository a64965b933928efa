// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";

/// @title What a deposit costs
/// @notice Runs behind a transparent proxy. Its state lies in ordinary slots, so an upgrade must keep their order.
contract FeePolicy is OwnableUpgradeable {
    uint16 public constant MAX_FEE_BPS = 200;

    uint16 public depositFeeBps;

    event DepositFeeSet(uint16 feeBps);

    error FeeTooHigh(uint16 feeBps, uint16 max);

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    function initialize(address owner_, uint16 feeBps) external initializer {
        __Ownable_init(owner_);
        _setDepositFee(feeBps);
    }

    function setDepositFee(uint16 feeBps) external onlyOwner {
        _setDepositFee(feeBps);
    }

    function _setDepositFee(uint16 feeBps) private {
        if (feeBps > MAX_FEE_BPS) revert FeeTooHigh(feeBps, MAX_FEE_BPS);
        depositFeeBps = feeBps;
        emit DepositFeeSet(feeBps);
    }
}
