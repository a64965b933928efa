// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {ERC20Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC20/ERC20Upgradeable.sol";
import {ERC4626Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC4626Upgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {FeeMath} from "./FeeMath.sol";
import {FeePolicy} from "./FeePolicy.sol";
import {Registry} from "./Registry.sol";
import {Strategy} from "./Strategy.sol";

/// @title An ERC-4626 vault with a deposit fee, a cap and a strategy
/// @notice Runs behind an ERC-1967 proxy and upgrades itself (UUPS).
/// @dev Roles: DEFAULT_ADMIN (the timelock) governs, UPGRADER installs new code, KEEPER moves assets to and from the
/// strategy. The admin can take the other roles away.
contract Vault is AccessControlUpgradeable, ERC4626Upgradeable, UUPSUpgradeable, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @custom:storage-location erc7201:acme.storage.Vault
    struct VaultStorage {
        Registry registry;
        address treasury;
        Strategy strategy;
    }

    bytes32 public constant UPGRADER_ROLE = keccak256("UPGRADER_ROLE");
    bytes32 public constant KEEPER_ROLE = keccak256("KEEPER_ROLE");
    bytes32 public constant FEE_POLICY = keccak256("FEE_POLICY");

    // keccak256(abi.encode(uint256(keccak256("acme.storage.Vault")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant VAULT_STORAGE = 0xf3189b18d3e955cbe5fceb0a99ed4d2f8d8280ddffedb525118b812ff212cc00;

    /// @notice The most assets the vault takes in. Part of the code: another cap is another implementation.
    /// @custom:oz-upgrades-unsafe-allow state-variable-immutable
    uint256 public immutable depositCap;

    event StrategySet(address indexed strategy, address indexed previous);
    event Invested(uint256 assets);
    event Divested(uint256 assets);

    error ZeroAddress();
    error NoStrategy();

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor(uint256 depositCap_) {
        depositCap = depositCap_;
        _disableInitializers();
    }

    function initialize(address registry_, address treasury_, address asset_, address admin, address upgrader)
        external
        initializer
    {
        if (registry_ == address(0) || treasury_ == address(0) || asset_ == address(0)) revert ZeroAddress();
        if (admin == address(0) || upgrader == address(0)) revert ZeroAddress();
        __AccessControl_init();
        __ERC20_init("Acme Vault Share", "avSHARE");
        __ERC4626_init(IERC20(asset_));

        VaultStorage storage $ = _vaultStorage();
        $.registry = Registry(registry_);
        $.treasury = treasury_;

        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(UPGRADER_ROLE, upgrader);
    }

    // ---- governance and keeping

    /// @notice Names the strategy. What the one before still holds comes back first, so that nobody can hinder the
    /// change by sending it dust.
    function setStrategy(address strategy_) external onlyRole(DEFAULT_ADMIN_ROLE) nonReentrant {
        VaultStorage storage $ = _vaultStorage();
        Strategy previous = $.strategy;
        $.strategy = Strategy(strategy_);
        emit StrategySet(strategy_, address(previous));
        if (address(previous) != address(0)) {
            uint256 left = previous.totalAssets();
            if (left != 0) _takeBack(previous, left);
        }
    }

    /// @notice Moves idle assets to the strategy.
    function invest(uint256 assets) external onlyRole(KEEPER_ROLE) nonReentrant {
        Strategy to = _vaultStorage().strategy;
        if (address(to) == address(0)) revert NoStrategy();
        emit Invested(assets);
        IERC20(asset()).safeTransfer(address(to), assets);
    }

    /// @notice Takes assets back from the strategy.
    function divest(uint256 assets) external onlyRole(KEEPER_ROLE) nonReentrant {
        Strategy from = _vaultStorage().strategy;
        if (address(from) == address(0)) revert NoStrategy();
        _takeBack(from, assets);
    }

    // ---- reading

    function version() external pure virtual returns (string memory) {
        return "1";
    }

    function registry() external view returns (address) {
        return address(_vaultStorage().registry);
    }

    function treasury() external view returns (address) {
        return _vaultStorage().treasury;
    }

    function strategy() external view returns (address) {
        return address(_vaultStorage().strategy);
    }

    /// @notice What a deposit costs now, in basis points; nothing as long as no policy is registered.
    function depositFeeBps() public view returns (uint256) {
        address policy = _vaultStorage().registry.find(FEE_POLICY);
        return policy == address(0) ? 0 : FeePolicy(policy).depositFeeBps();
    }

    /// @notice Assets in the vault and not in the strategy.
    function idleAssets() public view returns (uint256) {
        return IERC20(asset()).balanceOf(address(this));
    }

    // ---- ERC-4626

    function totalAssets() public view override returns (uint256) {
        Strategy invested = _vaultStorage().strategy;
        return idleAssets() + (address(invested) == address(0) ? 0 : invested.totalAssets());
    }

    function maxDeposit(address) public view virtual override returns (uint256) {
        uint256 held = totalAssets();
        return held < depositCap ? depositCap - held : 0;
    }

    function maxMint(address receiver) public view virtual override returns (uint256) {
        return super.previewDeposit(maxDeposit(receiver));
    }

    function previewDeposit(uint256 assets) public view override returns (uint256) {
        return super.previewDeposit(assets - FeeMath.inGross(assets, depositFeeBps()));
    }

    function previewMint(uint256 shares) public view override returns (uint256) {
        uint256 net = super.previewMint(shares);
        return net + FeeMath.onNet(net, depositFeeBps());
    }

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares)
        internal
        virtual
        override
        nonReentrant
    {
        uint256 fee = FeeMath.inGross(assets, depositFeeBps());
        super._deposit(caller, receiver, assets, shares);
        if (fee != 0) IERC20(asset()).safeTransfer(_vaultStorage().treasury, fee);
    }

    function _withdraw(address caller, address receiver, address owner, uint256 assets, uint256 shares)
        internal
        override
        nonReentrant
    {
        super._withdraw(caller, receiver, owner, assets, shares);
    }

    /// @dev After the shares are burned: what is not idle comes from the strategy. If less came than was asked for, the
    /// transfer fails.
    function _transferOut(address to, uint256 assets) internal override {
        uint256 idle = idleAssets();
        if (assets > idle) _vaultStorage().strategy.withdraw(assets - idle);
        super._transferOut(to, assets);
    }

    /// @dev Virtual shares make a first depositor's inflation attack unprofitable.
    function _decimalsOffset() internal pure override returns (uint8) {
        return 3;
    }

    function _takeBack(Strategy from, uint256 assets) private {
        emit Divested(from.withdraw(assets));
    }

    // ---- upgrades

    function _authorizeUpgrade(address) internal override onlyRole(UPGRADER_ROLE) {}

    function _vaultStorage() private pure returns (VaultStorage storage $) {
        assembly ("memory-safe") {
            $.slot := VAULT_STORAGE
        }
    }
}
