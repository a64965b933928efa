// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Counts. Upgradeable by its owner as ERC-1822 and ERC-1967 say, in as few lines as that takes.
contract Counter {
    bytes32 private constant IMPLEMENTATION = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    address public owner;
    uint256 public count;

    event Upgraded(address indexed implementation);

    /// Nobody initializes the bare implementation: only proxies are counters.
    constructor() {
        owner = address(1);
    }

    function initialize(address owner_, uint256 count_) external {
        require(owner == address(0), "initialized");
        owner = owner_;
        count = count_;
    }

    function increment() external {
        count += 1;
    }

    function proxiableUUID() external pure returns (bytes32) {
        return IMPLEMENTATION;
    }

    function upgradeToAndCall(address implementation, bytes calldata data) external payable {
        require(msg.sender == owner, "not the owner");
        require(Counter(implementation).proxiableUUID() == IMPLEMENTATION, "not upgradeable");
        assembly {
            sstore(IMPLEMENTATION, implementation)
        }
        emit Upgraded(implementation);
        if (data.length > 0) {
            (bool done,) = implementation.delegatecall(data);
            require(done, "migration failed");
        }
    }
}
