// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Wants to be paid as it is created, and says how much it got.
contract Payable {
    uint256 public immutable received;

    error TooLittle(uint256 sent, uint256 least);

    constructor(uint256 least) payable {
        if (msg.value < least) revert TooLittle(msg.value, least);
        received = msg.value;
    }

    function pay() external payable {}
}
