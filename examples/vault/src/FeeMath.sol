// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Fees in basis points, rounded in the vault's favour
/// @dev The functions are public on purpose: the library is deployed once and linked, not inlined.
library FeeMath {
    uint256 public constant ONE = 10_000;

    /// @notice The fee to add to `net`.
    function onNet(uint256 net, uint256 feeBps) public pure returns (uint256) {
        return Math.mulDiv(net, feeBps, ONE, Math.Rounding.Ceil);
    }

    /// @notice The fee that is part of `gross`.
    function inGross(uint256 gross, uint256 feeBps) public pure returns (uint256) {
        return Math.mulDiv(gross, feeBps, ONE + feeBps, Math.Rounding.Ceil);
    }
}
