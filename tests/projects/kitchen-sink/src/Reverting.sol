// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Every way a creation or a call can fail. Kind 0 does not.
contract Reverting {
    error Bad(uint256 code, address who);

    constructor(uint8 kind, uint256 code) {
        fail(kind, code);
    }

    function fail(uint8 kind, uint256 code) public view {
        if (kind == 1) revert Bad(code, msg.sender);
        if (kind == 2) revert("a reason in words");
        if (kind == 3) assert(code == type(uint256).max);
        if (kind == 4) code = code / (code - code);
        if (kind == 5) revert();
        if (kind == 6) while (true) code = gasleft();
    }
}

/// @dev Its code would be one byte over the limit of EIP-170.
contract Oversized {
    constructor() {
        assembly {
            return(0, 24577)
        }
    }
}
