"""The project both tools deploy: one contract many times, alone or each taking the last one's address."""

from __future__ import annotations

import json
from pathlib import Path

from eth_keyfile.keyfile import create_keyfile_json

LINK = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Holds the address of the one before it, and enough code to weigh something.
contract Link {
    address public immutable prev;
    mapping(address => uint256) public balances;
    event Moved(address indexed from, address indexed to, uint256 amount);
    error TooLittle(uint256 has, uint256 wanted);
    constructor(address prev_) { prev = prev_; balances[msg.sender] = 1e24; }
    function move(address to, uint256 amount) external returns (uint256) {
        uint256 has = balances[msg.sender];
        if (has < amount) revert TooLittle(has, amount);
        unchecked { balances[msg.sender] = has - amount; }
        balances[to] += amount;
        emit Moved(msg.sender, to, amount);
        return balances[to];
    }
}
"""
SCRIPT = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
import {{Link}} from "../src/Link.sol";
interface Vm {{ function startBroadcast() external; function stopBroadcast() external; }}
contract Deploy {{
    Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bool public IS_SCRIPT = true;
    function run() external {{
        vm.startBroadcast();
        address last = address(0);
        for (uint256 i = 0; i < {count}; i++) {{
            Link made = new Link({argument});
            last = address(made);
        }}
        vm.stopBroadcast();
    }}
}}
"""
FOUNDRY = '[profile.default]\nsolc = "0.8.37"\nevm_version = "cancun"\noptimizer = true\noptimizer_runs = 200\n'
FIRST_CHAIN_ID = 41_000
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The public development key; every anvil funds it."""
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ZERO = "0x0000000000000000000000000000000000000000"


def write_project(root: Path, *, count: int, chained: bool, endpoints: list[list[str]]) -> None:
    """A Foundry project with a forge script and a ship.toml that deploy the same contracts; one target an endpoint."""
    for folder in ("src", "script", "manifests"):
        (root / folder).mkdir(parents=True)
    (root / "foundry.toml").write_text(FOUNDRY)
    (root / "src" / "Link.sol").write_text(LINK)
    argument = "last" if chained else "address(0)"
    (root / "script" / "Deploy.s.sol").write_text(SCRIPT.format(count=count, argument=argument))
    lines = ["schema = 1", "[project]", 'name = "bench"', 'version = "1.0.0"']
    for number in range(count):
        before = f"${{contracts.Link{number - 1}}}" if chained and number else ZERO
        lines += [f"[contracts.Link{number}]", 'source = "src/Link.sol:Link"', f'args = ["{before}"]']
    (root / "ship.toml").write_text("\n".join(lines) + "\n")
    for number, urls in enumerate(endpoints):
        (root / "manifests" / f"chain{number}.toml").write_text(
            "schema = 1\n"
            f'chain = {{ name = "bench{number}", id = {FIRST_CHAIN_ID + number}, block-time-ms = 2000 }}\n'
            f"[rpc]\nendpoints = {json.dumps(urls)}\n"
            '[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\n'
            f'address = "{ADDRESS}"\n'  # pinned, as the documentation asks
            "[policy]\nwindow = 1000\nwait-s = 240\nfinality = 1\n"
        )
    # An encrypted key as ship wants one, with a cheap key derivation: the benchmark times deployments, not scrypt.
    keyfile = create_keyfile_json(KEY, b"bench", kdf="pbkdf2", iterations=1000)
    (root / "key.json").write_text(json.dumps(keyfile))
    (root / "password").write_text("bench\n")
    (root / "password").chmod(0o600)
