// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Keeps what it is given in storage: its code is the same whatever that was.
contract Register {
    address public owner;
    uint256 public share;
    mapping(bytes32 name => address entry) public entries;

    constructor(address owner_, uint256 share_) {
        owner = owner_;
        share = share_;
    }

    function set(bytes32 name, address entry) external {
        require(msg.sender == owner, "not the owner");
        entries[name] = entry;
    }
}

/// Keeps what it is given in its code.
contract Token {
    uint256 public immutable cap;
    Register public immutable register;

    constructor(uint256 cap_, Register register_) {
        cap = cap_;
        register = register_;
    }
}

library Sum {
    function calc(uint256[] memory values) public pure returns (uint256 total) {
        for (uint256 i = 0; i < values.length; ++i) {
            total += values[i];
        }
    }
}

contract UsesSum {
    function sum(uint256[] calldata values) external pure returns (uint256) {
        return Sum.calc(values);
    }
}

contract Part {
    address public immutable maker = msg.sender;
    uint256 public immutable number;
    uint256 public weight;

    constructor(uint256 number_, uint256 weight_) {
        number = number_;
        weight = weight_;
    }
}

/// Creates a part inside its own creation, which files of deployments leave out.
contract Maker {
    Part public immutable part;

    constructor() {
        part = new Part(7, 70);
    }
}
