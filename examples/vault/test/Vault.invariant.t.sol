// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AcmeToken} from "../src/AcmeToken.sol";
import {Keeper} from "../src/Keeper.sol";
import {Vault} from "../src/Vault.sol";
import {Base} from "./Base.sol";
import {System} from "./System.sol";

/// @dev What users do, with amounts that are possible, so that no call is wasted on a revert.
contract Handler is Base {
    Vault private immutable _vault;
    AcmeToken private immutable _token;
    Keeper private immutable _keeper;
    address[2] private _users;

    uint256 public paidIn;
    uint256 public takenOut;

    constructor(Vault vault_, AcmeToken token_, Keeper keeper_, address[2] memory users_) {
        _vault = vault_;
        _token = token_;
        _keeper = keeper_;
        _users = users_;
    }

    function deposit(uint256 user, uint256 assets) external {
        address who = _users[user % 2];
        uint256 most = _vault.maxDeposit(who);
        uint256 has = _token.balanceOf(who);
        if (has < most) most = has;
        if (most == 0) return;
        assets = fold(assets, 1, most);
        vm.startPrank(who);
        _token.approve(address(_vault), assets);
        _vault.deposit(assets, who);
        vm.stopPrank();
        paidIn += assets;
    }

    function redeem(uint256 user, uint256 shares) external {
        address who = _users[user % 2];
        shares = fold(shares, 0, _vault.maxRedeem(who));
        vm.prank(who);
        takenOut += _vault.redeem(shares, who, who);
    }

    function rebalance() external {
        _keeper.rebalance();
    }

    function donate(uint256 user, uint256 assets, bool toStrategy) external {
        address who = _users[user % 2];
        assets = fold(assets, 0, _token.balanceOf(who) / 1_000);
        address to = toStrategy ? _vault.strategy() : address(_vault);
        vm.prank(who);
        _token.transfer(to, assets);
        paidIn += assets;
    }
}

contract VaultInvariantTest is System {
    Handler private _handler;

    function setUp() public {
        deploySystem();
        _handler = new Handler(vault, token, keeper, [alice, bob]);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_no_asset_is_lost_or_made() public view {
        eq(
            _handler.paidIn(),
            _handler.takenOut() + vault.totalAssets() + token.balanceOf(treasury),
            "paid in = taken out + held + fees"
        );
    }

    function invariant_shares_are_covered() public view {
        yes(vault.convertToAssets(vault.totalSupply()) <= vault.totalAssets(), "covered");
    }

    function invariant_the_total_is_idle_plus_invested() public view {
        eq(vault.totalAssets(), vault.idleAssets() + strategy.totalAssets(), "total");
    }
}
