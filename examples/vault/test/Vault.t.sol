// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AcmeToken} from "../src/AcmeToken.sol";
import {FeeMath} from "../src/FeeMath.sol";
import {FeePolicy} from "../src/FeePolicy.sol";
import {Keeper} from "../src/Keeper.sol";
import {Registry} from "../src/Registry.sol";
import {Vault} from "../src/Vault.sol";
import {System} from "./System.sol";

contract VaultTest is System {
    function setUp() public {
        deploySystem();
    }

    // ---- deposits and withdrawals

    function test_deposit_pays_the_fee_to_the_treasury() public {
        uint256 shares = deposit(alice, 1_003 ether);
        eq(token.balanceOf(treasury), 3 ether, "30 bps on 1000");
        eq(vault.totalAssets(), 1_000 ether, "the rest is in the vault");
        eq(vault.convertToAssets(shares), 1_000 ether, "and belongs to the shares");
    }

    function test_cap_is_respected() public {
        deposit(alice, CAP);
        uint256 room = vault.maxDeposit(alice);
        vm.startPrank(alice);
        token.approve(address(vault), room + 1);
        vm.expectPartialRevert(bytes4(keccak256("ERC4626ExceededMaxDeposit(address,uint256,uint256)")));
        vault.deposit(room + 1, alice);
        vm.stopPrank();
    }

    function test_withdrawal_takes_back_from_the_strategy() public {
        uint256 shares = deposit(alice, 1_000 ether);
        keeper.rebalance();
        yes(strategy.totalAssets() > 800 ether, "most is invested");
        vm.prank(alice);
        uint256 assets = vault.redeem(shares, alice, alice);
        eq(token.balanceOf(address(strategy)) + vault.idleAssets(), vault.totalAssets(), "sum");
        yes(assets > 990 ether, "all of it comes back");
    }

    function testFuzz_round_trip_never_profits(uint256 assets, uint256 before) public {
        deposit(bob, fold(before, 1, 1_000_000 ether));
        assets = fold(assets, 1, 1_000_000 ether);
        uint256 start = token.balanceOf(alice);
        uint256 shares = deposit(alice, assets);
        vm.prank(alice);
        vault.redeem(shares, alice, alice);
        yes(token.balanceOf(alice) <= start, "no profit");
    }

    function testFuzz_preview_is_what_happens(uint256 assets) public {
        assets = fold(assets, 1, CAP);
        uint256 expected = vault.previewDeposit(assets);
        eq(deposit(alice, assets), expected, "shares");
    }

    function testFuzz_mint_costs_its_preview(uint256 shares) public {
        shares = fold(shares, 1, vault.maxMint(alice));
        uint256 cost = vault.previewMint(shares);
        uint256 start = token.balanceOf(alice);
        vm.startPrank(alice);
        token.approve(address(vault), cost);
        vault.mint(shares, alice);
        vm.stopPrank();
        eq(start - token.balanceOf(alice), cost, "cost");
        yes(vault.totalAssets() <= CAP, "under the cap");
    }

    function testFuzz_fee_of_gross_is_fee_on_its_net(uint256 gross, uint256 bps) public pure {
        gross = fold(gross, 0, 1e30);
        bps = fold(bps, 0, 200);
        uint256 fee = FeeMath.inGross(gross, bps);
        yes(FeeMath.onNet(gross - fee, bps) <= fee, "the vault is never short");
    }

    // ---- keeping and governing

    function testFuzz_rebalance_keeps_the_buffer(uint256 assets) public {
        deposit(alice, fold(assets, 1, CAP));
        keeper.rebalance();
        uint256 total = vault.totalAssets();
        eq(vault.idleAssets(), (total * 1_000 + 9_999) / 10_000, "a tenth, rounded up");
        keeper.rebalance();
        eq(vault.totalAssets(), total, "a second time changes nothing");
    }

    function test_only_the_keeper_moves_assets() public {
        vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
        vault.invest(1);
        vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
        vault.divest(1);
        vm.expectPartialRevert(bytes4(keccak256("NotVault(address)")));
        strategy.withdraw(1);
    }

    function test_a_replaced_strategy_gives_everything_back_even_dust() public {
        deposit(alice, 1_000 ether);
        keeper.rebalance();
        vm.prank(bob);
        token.transfer(address(strategy), 1);
        uint256 total = vault.totalAssets();
        throughTimelock(address(vault), abi.encodeCall(Vault.setStrategy, (address(0))));
        eq(vault.strategy(), address(0), "no strategy");
        eq(vault.idleAssets(), total, "all idle");
    }

    function test_fee_changes_only_through_the_timelock_and_under_the_limit() public {
        vm.expectPartialRevert(bytes4(keccak256("OwnableUnauthorizedAccount(address)")));
        feePolicy.setDepositFee(50);
        throughTimelock(address(feePolicy), abi.encodeCall(FeePolicy.setDepositFee, (50)));
        eq(vault.depositFeeBps(), 50, "new fee");
        vm.prank(address(timelock));
        vm.expectPartialRevert(bytes4(keccak256("FeeTooHigh(uint16,uint16)")));
        feePolicy.setDepositFee(201);
    }

    // ---- constructors

    function test_constructors_refuse_nonsense() public {
        vm.expectPartialRevert(bytes4(keccak256("LengthMismatch(uint256,uint256)")));
        new AcmeToken(AcmeToken.Config("T", "T", new address[](1), new uint256[](2)));
        vm.expectPartialRevert(bytes4(keccak256("BufferTooHigh(uint256)")));
        new Keeper(vault, 10_001);
        vm.expectPartialRevert(bytes4(keccak256("OwnableInvalidOwner(address)")));
        new Registry(address(0));
    }

    function test_registry_knows_what_it_does_not_know() public {
        eq(registry.find("nothing"), address(0), "find");
        vm.expectRevert(abi.encodeWithSelector(Registry.UnknownName.selector, bytes32("nothing")));
        registry.get("nothing");
        vm.prank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(Registry.ZeroEntry.selector, bytes32("zero")));
        registry.register("zero", address(0));
    }
}
