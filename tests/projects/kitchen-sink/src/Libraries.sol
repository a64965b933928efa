// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Two libraries to be linked, the second of which needs the first.
library Sum {
    function calc(uint256[] memory values) public pure returns (uint256 total) {
        for (uint256 i = 0; i < values.length; ++i) {
            total += values[i];
        }
    }
}

library Mean {
    function calc(uint256[] memory values) public pure returns (uint256) {
        return Sum.calc(values) / values.length;
    }
}

contract UsesSum {
    function sum(uint256[] calldata values) external pure returns (uint256) {
        return Sum.calc(values);
    }
}

contract UsesBoth {
    uint256 public first;

    /// @dev Uses a library in its constructor: the library must be there before.
    constructor(uint256[] memory values) {
        first = Mean.calc(values);
    }

    function both(uint256[] calldata values) external pure returns (uint256, uint256) {
        return (Sum.calc(values), Mean.calc(values));
    }
}
