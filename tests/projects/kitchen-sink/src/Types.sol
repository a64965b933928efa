// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

enum Kind {
    None,
    Some,
    Other
}

type Price is uint96;

struct Point {
    int128 x;
    int128 y;
}

struct Shape {
    string name;
    Point[] points;
    Point origin;
    bytes4[2] tags;
}

/// @dev Each constructor takes one family of ABI types and keeps the hash of what it was given, and a value to read.
contract Numbers {
    bytes32 public immutable digest;
    int256 public least;

    constructor(uint8 a, uint16 b, uint128 c, uint256 d, int8 e, int24 f, int256 g, bool h) {
        digest = keccak256(abi.encode(a, b, c, d, e, f, g, h));
        least = g;
    }
}

contract Words {
    bytes32 public immutable digest;
    string public text;

    constructor(bytes1 a, bytes4 b, bytes20 c, bytes32 d, bytes memory e, string memory f) {
        digest = keccak256(abi.encode(a, b, c, d, e, f));
        text = f;
    }
}

/// @dev An enum, a user-defined value type and a contract type: uint8, uint96 and address in the ABI.
contract Names {
    bytes32 public immutable digest;
    Kind public kind;
    Price public price;
    Words public words;

    constructor(address a, address payable b, Kind kind_, Price price_, Words words_) {
        digest = keccak256(abi.encode(a, b, kind_, price_, words_));
        (kind, price, words) = (kind_, price_, words_);
    }
}

contract Arrays {
    bytes32 public immutable digest;
    uint256 public count;

    constructor(
        uint256[3] memory a,
        uint256[] memory b,
        address[] memory c,
        bytes[] memory d,
        string[2] memory e,
        uint16[][2] memory f,
        bool[2][] memory g
    ) {
        digest = keccak256(abi.encode(a, b, c, d, e, f, g));
        count = b.length;
    }
}

contract Tuples {
    bytes32 public immutable digest;
    string public name;

    constructor(Point memory a, Shape memory b, Point[2] memory c, Shape[] memory d) {
        digest = keccak256(abi.encode(a, b, c, d));
        name = b.name;
    }
}
