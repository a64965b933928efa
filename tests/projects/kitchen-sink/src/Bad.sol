// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev What it is given reaches storage only. Two of them have the same code on chain whatever they were given, so the
/// code alone does not prove the arguments.
contract Bad {
    address public beneficiary;
    uint256 public share;

    constructor(address beneficiary_, uint256 share_) {
        beneficiary = beneficiary_;
        share = share_;
    }
}
