// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Upgradeable as ERC-1822 and ERC-1967 say; like OpenZeppelin's it keeps its own address, and a limit, in its code.
contract Box {
    bytes32 private constant IMPLEMENTATION = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    address private immutable self = address(this);
    uint256 public immutable limit;
    address public owner;
    uint256 public content;

    event Upgraded(address indexed implementation);

    constructor(uint256 limit_) {
        limit = limit_;
    }

    function initialize(address owner_, uint256 content_) external {
        require(address(this) != self && owner == address(0), "initialized");
        require(content_ <= limit, "too much");
        owner = owner_;
        content = content_;
    }

    function proxiableUUID() external view returns (bytes32) {
        require(address(this) == self, "through a proxy");
        return IMPLEMENTATION;
    }

    function upgradeToAndCall(address implementation, bytes calldata data) external payable {
        require(msg.sender == owner, "not the owner");
        require(address(this) != self, "not through a proxy");
        require(Box(implementation).proxiableUUID() == IMPLEMENTATION, "not upgradeable");
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
