// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

contract Child {
    address public immutable parent = msg.sender;
    uint256 public immutable number;

    constructor(uint256 number_) {
        number = number_;
    }
}

/// @dev Creates one child as it is created, and more on request.
contract Factory {
    Child public immutable firstborn;
    uint256 public count = 1;

    event Born(Child indexed child, uint256 number);

    constructor() {
        firstborn = new Child(0);
    }

    function make() external returns (Child child) {
        child = new Child(count);
        emit Born(child, count++);
    }
}
