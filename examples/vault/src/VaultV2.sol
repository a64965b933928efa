// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vault} from "./Vault.sol";

/// @title The vault, with a guardian who can stop deposits for a while
/// @notice Withdrawals can never be stopped, and a pause ends by itself.
/// @dev State is added in a namespace of its own; that of version 1 is untouched.
contract VaultV2 is Vault {
    /// @custom:storage-location erc7201:acme.storage.VaultV2
    struct VaultV2Storage {
        uint64 pausedUntil;
    }

    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");
    uint64 public constant MAX_PAUSE_S = 7 days;

    // keccak256(abi.encode(uint256(keccak256("acme.storage.VaultV2")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant VAULT_V2_STORAGE = 0x7583899e3c59c3df7942c7ca589b576edf3410d363c8643213c7b196ce162000;

    event DepositsPaused(uint64 until);

    error PauseTooLong(uint64 seconds_, uint64 max);

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor(uint256 depositCap_) Vault(depositCap_) {}

    /// @notice Called in the transaction that installs this version. The role keeps others out where it was installed
    /// without.
    function initializeV2(address guardian) external reinitializer(2) onlyRole(UPGRADER_ROLE) {
        if (guardian == address(0)) revert ZeroAddress();
        _grantRole(GUARDIAN_ROLE, guardian);
    }

    /// @notice Stops deposits for the next `seconds_`; 0 opens them again.
    function pauseDeposits(uint64 seconds_) external onlyRole(GUARDIAN_ROLE) {
        if (seconds_ > MAX_PAUSE_S) revert PauseTooLong(seconds_, MAX_PAUSE_S);
        uint64 until = uint64(block.timestamp) + seconds_;
        _vaultV2Storage().pausedUntil = until;
        emit DepositsPaused(until);
    }

    function version() external pure override returns (string memory) {
        return "2";
    }

    function pausedUntil() external view returns (uint64) {
        return _vaultV2Storage().pausedUntil;
    }

    function maxDeposit(address receiver) public view override returns (uint256) {
        return block.timestamp < _vaultV2Storage().pausedUntil ? 0 : super.maxDeposit(receiver);
    }

    function _vaultV2Storage() private pure returns (VaultV2Storage storage $) {
        assembly ("memory-safe") {
            $.slot := VAULT_V2_STORAGE
        }
    }
}
