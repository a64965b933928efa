// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

contract Owned {
    address public owner;
    mapping(bytes32 key => uint256 value) public values;

    error NotOwner(address caller);

    constructor(address owner_) {
        owner = owner_;
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    function set(bytes32 key, uint256 value) external onlyOwner {
        values[key] = value;
    }

    function transferOwnership(address owner_) external onlyOwner {
        owner = owner_;
    }
}
