// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Vault} from "./Vault.sol";

/// @title Keeps a fixed part of the vault's assets idle, and the rest invested
/// @notice Anyone may call it: there is one right answer, and it holds no assets itself.
contract Keeper {
    uint256 private constant ONE_BPS = 10_000;

    Vault public immutable vault;
    uint256 public immutable bufferBps;

    error BufferTooHigh(uint256 bufferBps);

    constructor(Vault vault_, uint256 bufferBps_) {
        if (bufferBps_ > ONE_BPS) revert BufferTooHigh(bufferBps_);
        vault = vault_;
        bufferBps = bufferBps_;
    }

    function rebalance() external {
        uint256 idle = vault.idleAssets();
        uint256 wanted = Math.mulDiv(vault.totalAssets(), bufferBps, ONE_BPS, Math.Rounding.Ceil);
        if (idle > wanted) vault.invest(idle - wanted);
        else if (idle < wanted) vault.divest(wanted - idle);
    }
}
