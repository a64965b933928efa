// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Entries by name, set by its owner, who is fixed at construction.
contract Registry {
    address public immutable owner;
    mapping(bytes32 name => address entry) public entries;

    constructor(address owner_) {
        owner = owner_;
    }

    function set(bytes32 name, address entry) external {
        require(msg.sender == owner, "not the owner");
        entries[name] = entry;
    }
}
