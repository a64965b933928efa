// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title The address book of the system
/// @notice Contracts find one another here by name, so that one of them can be replaced without redeploying the rest.
contract Registry is Ownable {
    mapping(bytes32 name => address entry) private _entries;

    event Registered(bytes32 indexed name, address indexed entry, address indexed previous);

    error UnknownName(bytes32 name);
    error ZeroEntry(bytes32 name);

    constructor(address owner_) Ownable(owner_) {}

    function register(bytes32 name, address entry) external onlyOwner {
        if (entry == address(0)) revert ZeroEntry(name);
        emit Registered(name, entry, _entries[name]);
        _entries[name] = entry;
    }

    /// @notice The entry under `name`, or the zero address.
    function find(bytes32 name) external view returns (address) {
        return _entries[name];
    }

    /// @notice The entry under `name`; reverts when there is none.
    function get(bytes32 name) external view returns (address entry) {
        entry = _entries[name];
        if (entry == address(0)) revert UnknownName(name);
    }
}
