// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VaultV2} from "../src/VaultV2.sol";
import {System} from "./System.sol";

contract UpgradeTest is System {
    bytes32 private constant IMPLEMENTATION_SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    bytes32 private constant VAULT_STORAGE = 0xf3189b18d3e955cbe5fceb0a99ed4d2f8d8280ddffedb525118b812ff212cc00;

    VaultV2 private v2;
    address private immutable guardian = vm.addr(5);

    function setUp() public {
        deploySystem();
        deposit(alice, 1_000 ether);
        keeper.rebalance();
        v2 = VaultV2(address(vault));
    }

    function upgrade() private {
        address implementation = address(new VaultV2(CAP));
        vm.prank(owner);
        vault.upgradeToAndCall(implementation, abi.encodeCall(VaultV2.initializeV2, (guardian)));
        eq(address(uint160(uint256(vm.load(address(vault), IMPLEMENTATION_SLOT)))), implementation, "implementation");
    }

    function test_upgrade_keeps_what_was_stored() public {
        uint256 shares = vault.balanceOf(alice);
        uint256 assets = vault.totalAssets();
        bytes32[3] memory slots;
        for (uint256 i = 0; i < 3; ++i) {
            slots[i] = vm.load(address(vault), bytes32(uint256(VAULT_STORAGE) + i));
        }
        eq(address(uint160(uint256(slots[0]))), address(registry), "the namespace is where ERC-7201 puts it");

        upgrade();

        eq(v2.version(), "2", "version");
        eq(v2.balanceOf(alice), shares, "shares");
        eq(v2.totalAssets(), assets, "assets");
        eq(v2.strategy(), address(strategy), "strategy");
        yes(v2.hasRole(0, address(timelock)), "admin");
        yes(v2.hasRole(keccak256("GUARDIAN_ROLE"), guardian), "guardian");
        for (uint256 i = 0; i < 3; ++i) {
            yes(slots[i] == vm.load(address(vault), bytes32(uint256(VAULT_STORAGE) + i)), "slot");
        }
    }

    function test_only_the_upgrader_upgrades_and_governance_can_take_that_away() public {
        address implementation = address(new VaultV2(CAP));
        vm.prank(alice);
        vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
        vault.upgradeToAndCall(implementation, "");

        throughTimelock(address(vault), abi.encodeCall(vault.revokeRole, (keccak256("UPGRADER_ROLE"), owner)));
        vm.prank(owner);
        vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
        vault.upgradeToAndCall(implementation, "");
    }

    function test_second_initialization_happens_once() public {
        upgrade();
        vm.expectPartialRevert(bytes4(keccak256("InvalidInitialization()")));
        v2.initializeV2(alice);
    }

    function test_a_stranger_cannot_initialize_what_the_upgrade_left_uninitialized() public {
        address implementation = address(new VaultV2(CAP));
        vm.prank(owner);
        vault.upgradeToAndCall(implementation, "");
        vm.prank(alice);
        vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
        v2.initializeV2(alice);
    }

    function testFuzz_a_pause_stops_deposits_ends_by_itself_and_never_stops_withdrawals(uint64 seconds_) public {
        upgrade();
        seconds_ = uint64(fold(seconds_, 1, 7 days));
        vm.prank(guardian);
        v2.pauseDeposits(seconds_);
        eq(v2.maxDeposit(alice), 0, "deposits");
        eq(v2.maxMint(alice), 0, "mints");

        uint256 shares = v2.balanceOf(alice) / 2;
        vm.prank(alice);
        yes(v2.redeem(shares, alice, alice) > 0, "withdrawals");

        vm.warp(v2.pausedUntil());
        yes(v2.maxDeposit(alice) > 0, "open again");
    }

    function test_pause_is_the_guardians_and_limited() public {
        upgrade();
        vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
        v2.pauseDeposits(1);
        vm.prank(guardian);
        vm.expectPartialRevert(bytes4(keccak256("PauseTooLong(uint64,uint64)")));
        v2.pauseDeposits(7 days + 1);
    }
}
