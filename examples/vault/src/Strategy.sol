// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Where the vault puts assets it does not need at once
/// @notice Runs behind a beacon, so that every instance is upgraded together. This first one only keeps the assets.
contract Strategy is Initializable {
    using SafeERC20 for IERC20;

    address public vault;
    IERC20 public asset;

    event Returned(uint256 assets);

    error NotVault(address caller);

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    function initialize(address vault_, address asset_) external initializer {
        // slither-disable-next-line missing-zero-check
        vault = vault_;
        asset = IERC20(asset_);
    }

    function totalAssets() external view returns (uint256) {
        return asset.balanceOf(address(this));
    }

    /// @notice Gives `assets` back to the vault, and says how many were given.
    function withdraw(uint256 assets) external returns (uint256) {
        if (msg.sender != vault) revert NotVault(msg.sender);
        emit Returned(assets);
        asset.safeTransfer(vault, assets);
        return assets;
    }
}
