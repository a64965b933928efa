// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Box} from "../src/Box.sol";
import {ERC1967Proxy} from "../src/ERC1967Proxy.sol";
import {Maker, Register, Token, UsesSum} from "../src/Legacy.sol";

interface Cheats {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// How this system was deployed before ship: by a Foundry script.
contract Deploy {
    Cheats private constant CHEATS = Cheats(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run() external {
        CHEATS.startBroadcast();
        Register register = new Register(msg.sender, 30);
        new Token{salt: keccak256("legacy.token")}(1000, register);
        new UsesSum();
        new Maker();
        Box box = new Box(100);
        ERC1967Proxy vessel = new ERC1967Proxy(address(box), abi.encodeCall(Box.initialize, (msg.sender, 5)));
        register.set(keccak256("BOX"), address(vessel));
        CHEATS.stopBroadcast();
    }
}
