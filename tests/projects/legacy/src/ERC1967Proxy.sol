// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// The smallest proxy that keeps its implementation where ERC-1967 says.
contract ERC1967Proxy {
    bytes32 private constant IMPLEMENTATION = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    constructor(address implementation, bytes memory data) payable {
        assembly {
            sstore(IMPLEMENTATION, implementation)
        }
        if (data.length > 0) {
            (bool done,) = implementation.delegatecall(data);
            require(done, "initialization failed");
        }
    }

    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(IMPLEMENTATION), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
