// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {BeaconProxy} from "@openzeppelin/contracts/proxy/beacon/BeaconProxy.sol";
import {UpgradeableBeacon} from "@openzeppelin/contracts/proxy/beacon/UpgradeableBeacon.sol";
import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";

import {AcmeToken} from "../src/AcmeToken.sol";
import {FeePolicy} from "../src/FeePolicy.sol";
import {Keeper} from "../src/Keeper.sol";
import {Registry} from "../src/Registry.sol";
import {Strategy} from "../src/Strategy.sol";
import {Vault} from "../src/Vault.sol";
import {Base} from "./Base.sol";

/// @dev The whole system, deployed and handed over in the order of ship.toml. This contract is the deployer.
abstract contract System is Base {
    uint256 internal constant CAP = 5_000_000 ether;
    uint16 internal constant FEE_BPS = 30;

    address internal immutable owner = vm.addr(1);
    address internal immutable treasury = vm.addr(2);
    address internal immutable alice = vm.addr(3);
    address internal immutable bob = vm.addr(4);

    Registry internal registry;
    AcmeToken internal token;
    TimelockController internal timelock;
    FeePolicy internal feePolicy;
    UpgradeableBeacon internal beacon;
    Strategy internal strategy;
    Vault internal vault;
    Keeper internal keeper;

    function deploySystem() internal {
        registry = new Registry(address(this));
        token = new AcmeToken(
            AcmeToken.Config("Acme Token", "ACME", _two(alice, bob), _two(8_000_000 ether, 2_000_000 ether))
        );

        address[] memory proposers = new address[](1);
        proposers[0] = owner;
        timelock = new TimelockController(2 days, proposers, new address[](1), address(0));

        feePolicy = FeePolicy(
            address(
                new TransparentUpgradeableProxy(
                    address(new FeePolicy()), owner, abi.encodeCall(FeePolicy.initialize, (address(timelock), FEE_BPS))
                )
            )
        );
        vault = Vault(
            address(
                new ERC1967Proxy(
                    address(new Vault(CAP)),
                    abi.encodeCall(
                        Vault.initialize, (address(registry), treasury, address(token), address(this), owner)
                    )
                )
            )
        );
        beacon = new UpgradeableBeacon(address(new Strategy()), owner);
        strategy = Strategy(
            address(
                new BeaconProxy(address(beacon), abi.encodeCall(Strategy.initialize, (address(vault), address(token))))
            )
        );
        keeper = new Keeper(vault, 1_000);

        registry.register(keccak256("FEE_POLICY"), address(feePolicy));
        registry.register(keccak256("VAULT"), address(vault));
        vault.setStrategy(address(strategy));
        vault.grantRole(keccak256("KEEPER_ROLE"), address(keeper));

        bytes32 admin = vault.DEFAULT_ADMIN_ROLE();
        vault.grantRole(admin, address(timelock));
        vault.renounceRole(admin, address(this));
        registry.transferOwnership(address(timelock));
    }

    function deposit(address who, uint256 assets) internal returns (uint256 shares) {
        vm.startPrank(who);
        token.approve(address(vault), assets);
        shares = vault.deposit(assets, who);
        vm.stopPrank();
    }

    /// @dev What governance does: propose, wait, let anyone execute.
    function throughTimelock(address target, bytes memory data) internal {
        vm.prank(owner);
        timelock.schedule(target, 0, data, 0, 0, 2 days);
        vm.warp(block.timestamp + 2 days);
        timelock.execute(target, 0, data, 0, 0);
    }

    function _two(address a, address b) private pure returns (address[] memory list) {
        list = new address[](2);
        (list[0], list[1]) = (a, b);
    }

    function _two(uint256 a, uint256 b) private pure returns (uint256[] memory list) {
        list = new uint256[](2);
        (list[0], list[1]) = (a, b);
    }
}
