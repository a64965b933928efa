// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The asset the vault holds: a fixed supply, handed out once
contract AcmeToken is ERC20, ERC20Permit {
    struct Config {
        string name;
        string symbol;
        address[] holders;
        uint256[] amounts;
    }

    error LengthMismatch(uint256 holders, uint256 amounts);

    constructor(Config memory config) ERC20(config.name, config.symbol) ERC20Permit(config.name) {
        uint256 count = config.holders.length;
        if (count != config.amounts.length) revert LengthMismatch(count, config.amounts.length);
        for (uint256 i = 0; i < count; ++i) {
            _mint(config.holders[i], config.amounts[i]);
        }
    }
}
