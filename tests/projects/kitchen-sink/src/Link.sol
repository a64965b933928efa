// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev A chain: each link holds the address of the one before it in its code.
contract Link {
    address public immutable prev;
    uint256 public immutable depth;

    constructor(address prev_) {
        prev = prev_;
        depth = prev_.code.length == 0 ? 0 : Link(prev_).depth() + 1;
    }
}
