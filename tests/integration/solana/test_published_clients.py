"""Our encodings of metadata, IDL accounts and build records, byte for byte against the clients their makers publish."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib
from hashlib import sha256
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.solana.layouts import Account
from chains.solana.legacy_idl.layout import idl_address, parse_idl
from chains.solana.metadata import instructions as made
from chains.solana.metadata.layout import Form, canonical_address, parse_metadata, seed_bytes
from chains.solana.metadata.packing import pack, unpack
from chains.solana.verified import layout as otter
from tests.support.missing import missing
from tests.support.solana_fakes import METADATA_PROGRAM, OTTER_VERIFY
from tests.support.solana_node import ROOT

CLIENTS = ROOT / "tests" / "projects" / "solana-metadata"
KEYS = {name: Keypair().pubkey() for name in ("program", "program_data", "authority", "payer", "buffer")}
DATA, TEXT = bytes(range(1, 200)), json.dumps({"name": "Zähler", "docs": ["counts"] * 9}, ensure_ascii=False)
BUILD = otter.Build("https://github.com/acme/counter", "ab" * 20, ("--library-name", "counter"))
SLOT = 345_678_901
STRINGS = [{"name": name, "type": "string"} for name in ("version", "git_url", "commit")]
PARAMS = [*STRINGS, {"name": "args", "type": {"vec": "string"}}, {"name": "deploy_slot", "type": "u64"}]
# What the program's source declares, in the form of Anchor's IDLs.
OTTER_IDL = {
    "address": OTTER_VERIFY,
    "metadata": {"name": "otter_verify", "version": "0.1.0", "spec": "0.1.0"},
    "instructions": [
        {
            "name": name,
            "discriminator": list(sha256(f"global:{name}".encode()).digest()[:8]),
            "accounts": [],
            "args": [{"name": "params", "type": {"defined": {"name": "InputParams"}}}],
        }
        for name in ("initialize", "update")
    ],
    "types": [{"name": "InputParams", "type": {"kind": "struct", "fields": PARAMS}}],
}
IDL_ACCOUNT = (
    sha256(b"internal:IdlAccount").digest()[:8]
    + bytes(KEYS["authority"])
    + struct.pack("<I", len(DATA))
    + DATA
    + bytes(9)
)


@pytest.fixture(scope="module")
def theirs() -> Any:
    if not (CLIENTS / "node_modules").is_dir() or shutil.which("node") is None:
        missing("the published clients are missing: run scripts/setup")
    build = {
        "version": BUILD.version,
        "git_url": BUILD.git_url,
        "commit": BUILD.commit,
        "args": BUILD.args,
    }
    given = {
        "keys": {name: str(key) for name, key in KEYS.items()},
        "seed": "idl",
        "data": DATA.hex(),
        "text": TEXT,
        "packed": pack(TEXT.encode()).data.hex(),
        "otter_idl": OTTER_IDL,
        "build": build,
        "slot": SLOT,
        "idl_account": IDL_ACCOUNT.hex(),
    }
    done = subprocess.run(
        ["node", "encode.mjs"],
        cwd=CLIENTS,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shown(instruction: Instruction) -> dict[str, Any]:
    roles = [[str(meta.pubkey), meta.is_writable + 2 * meta.is_signer] for meta in instruction.accounts]
    return {"data": bytes(instruction.data).hex(), "accounts": roles}


def ours() -> dict[str, Instruction]:
    program, data, authority, payer, buffer = KEYS.values()
    address, seed, form = canonical_address(program, "idl"), seed_bytes("idl"), Form()
    return {
        "write": made.write(buffer, payer, 960, DATA),
        "write_source": made.write(address, authority, 0, source=buffer),
        "initialize": made.initialize(address, authority, program, data, seed, form, DATA),
        "initialize_buffer": made.initialize(address, authority, program, data, seed, form),
        "set_data": made.set_data(address, authority, program, data, form, DATA),
        "set_data_buffer": made.set_data(address, authority, program, data, form, buffer=buffer),
        "trim": made.trim(address, authority, program, data, payer),
        "close": made.close(buffer, payer, payer),
        "allocate": made.allocate(address, authority, program, seed, data),
        "extend": made.extend(address, authority, 10_240, program, data),
    }


@pytest.mark.parametrize("name", sorted(ours()))
def test_metadata_instructions(theirs: Any, name: str) -> None:
    assert shown(ours()[name]) == theirs[name]


def test_metadata_address_account_and_packing(theirs: Any) -> None:
    assert str(canonical_address(KEYS["program"], "idl")) == theirs["canonical"]
    read = parse_metadata(Account(1, METADATA_PROGRAM, bytes.fromhex(theirs["account"]), False, 1))
    assert (read.program, read.authority, read.mutable, read.canonical) == (KEYS["program"], None, True, True)
    assert (read.seed, read.form, read.data) == (seed_bytes("idl"), Form(), DATA)
    assert theirs["unpacked"] == TEXT
    packed = bytes.fromhex(theirs["packed"])
    header = parse_metadata(
        Account(
            1,
            METADATA_PROGRAM,
            bytes.fromhex(theirs["account"])[:87] + struct.pack("<I5x", len(packed)) + packed,
            False,
            1,
        )
    )
    assert unpack(header) == TEXT.encode() == zlib.decompress(bytes.fromhex(theirs["deflated"]))


def test_the_legacy_idl_account(theirs: Any) -> None:
    assert str(idl_address(KEYS["program"])) == theirs["idl_address"]
    read = parse_idl(Account(1, str(KEYS["program"]), IDL_ACCOUNT, False, 1), KEYS["program"])
    assert theirs["idl"] == {"authority": str(read.authority), "data": read.data.hex()}
    assert read.capacity == len(DATA) + 9


def test_build_records(theirs: Any) -> None:
    program, authority = KEYS["program"], KEYS["authority"]
    assert str(otter.record_address(program, authority)) == theirs["record"]
    assert Pubkey.from_string(OTTER_VERIFY) == otter.PROGRAM
    first, second = (call(program, authority, BUILD, SLOT) for call in (otter.initialize, otter.update))
    assert bytes(first.data).hex() == theirs["build"]
    assert bytes(second.data).hex() == theirs["build_update"]
