// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev There is another of this name: artifacts are known by source and name.
contract Twin {
    function side() external pure returns (string memory) {
        return "left";
    }
}
