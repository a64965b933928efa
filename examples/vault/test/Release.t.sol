// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {System} from "./System.sol";

/// @dev The state right after a release: what the checks of ship.toml read, and who can no longer do what.
contract ReleaseTest is System {
    bytes32 private constant ADMIN = bytes32(0);
    bytes32 private constant ADMIN_SLOT = 0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103;

    function setUp() public {
        deploySystem();
    }

    function test_governance_is_the_timelock_alone() public view {
        yes(vault.hasRole(ADMIN, address(timelock)), "timelock governs the vault");
        yes(!vault.hasRole(ADMIN, address(this)), "the deployer does not");
        eq(registry.owner(), address(timelock), "registry owner");
        eq(feePolicy.owner(), address(timelock), "fee policy owner");
        yes(!timelock.hasRole(ADMIN, address(this)) && !timelock.hasRole(ADMIN, owner), "timelock has no other admin");
    }

    function test_the_parts_know_one_another() public view {
        eq(registry.get(keccak256("VAULT")), address(vault), "VAULT entry");
        eq(registry.get(keccak256("FEE_POLICY")), address(feePolicy), "FEE_POLICY entry");
        eq(vault.strategy(), address(strategy), "strategy");
        eq(strategy.vault(), address(vault), "strategy's vault");
        eq(vault.asset(), address(token), "asset");
        eq(vault.depositFeeBps(), FEE_BPS, "fee read through the registry");
        eq(vault.depositCap(), CAP, "immutable cap");
        eq(vault.version(), "1", "version");
        yes(vault.hasRole(keccak256("KEEPER_ROLE"), address(keeper)), "keeper role");
    }

    function test_nobody_can_initialize_again() public {
        vm.expectPartialRevert(bytes4(keccak256("InvalidInitialization()")));
        vault.initialize(address(registry), treasury, address(token), alice, alice);
        vm.expectPartialRevert(bytes4(keccak256("InvalidInitialization()")));
        feePolicy.initialize(alice, 1);
        vm.expectPartialRevert(bytes4(keccak256("InvalidInitialization()")));
        strategy.initialize(alice, alice);
    }

    function test_the_deployer_has_no_power_left() public {
        vm.expectRevert(
            abi.encodeWithSignature("AccessControlUnauthorizedAccount(address,bytes32)", address(this), ADMIN)
        );
        vault.setStrategy(address(0));
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", address(this)));
        registry.register("X", alice);
    }

    function test_proxy_admin_belongs_to_the_owner() public view {
        address admin = address(uint160(uint256(vm.load(address(feePolicy), ADMIN_SLOT))));
        (bool ok, bytes memory answer) = admin.staticcall(abi.encodeWithSignature("owner()"));
        yes(ok, "admin is a contract");
        eq(abi.decode(answer, (address)), owner, "proxy admin's owner");
        eq(beacon.owner(), owner, "beacon owner");
    }
}
