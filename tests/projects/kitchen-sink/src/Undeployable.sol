// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Nothing here can be a unit: no code comes of it.
interface Shaped {
    function area() external view returns (uint256);
}

abstract contract Unfinished is Shaped {
    function double() external view returns (uint256) {
        return this.area() * 2;
    }
}
