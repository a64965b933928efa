"""Addresses against the vectors of EIP-55 and EIP-1014."""

from __future__ import annotations

import pytest

from chains.evm.address import address_bytes, checksum, create2_address, create_address, keccak256


@pytest.mark.parametrize(
    "address",
    [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_eip_55(address: str) -> None:
    assert checksum(address.lower()) == checksum(address_bytes(address)) == address


@pytest.mark.parametrize(
    ("factory", "salt", "init_code", "expected"),
    [
        ("00" * 20, "00" * 32, "00", "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"),
        ("deadbeef" + "00" * 16, "00" * 32, "00", "0xB928f69Bb1D91Cd65274e3c79d8986362984fDA3"),
        ("deadbeef" + "00" * 16, "00" * 12 + "feed" + "00" * 18, "00", "0xD04116cDd17beBE565EB2422F2497E06cC1C9833"),
        ("00" * 20, "00" * 32, "deadbeef", "0x70f2b2914A2a4b783FaEFb75f459A580616Fcb5e"),
        ("00" * 16 + "deadbeef", "00" * 28 + "cafebabe", "deadbeef", "0x60f3f640a8508fC6a86d45DF051962668E1e8AC7"),
        ("00" * 16 + "deadbeef", "00" * 28 + "cafebabe", "deadbeef" * 11, "0x1d8bfDC5D46DC4f61D6b6115972536eBE6A8854C"),
        ("00" * 20, "00" * 32, "", "0xE33C0C7F7df4809055C3ebA6c09CFe4BaF1BD9e0"),
    ],
)
def test_eip_1014(factory: str, salt: str, init_code: str, expected: str) -> None:
    assert create2_address("0x" + factory, bytes.fromhex(salt), bytes.fromhex(init_code)) == expected


@pytest.mark.parametrize(
    ("nonce", "expected"),
    [(0, "0x5FbDB2315678afecb367f032d93F642f64180aa3"), (1, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")],
)
def test_create(nonce: int, expected: str) -> None:
    assert create_address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", nonce) == expected


@pytest.mark.parametrize("bad", ["0x", "0x00", "0x" + "00" * 21, "0x" + "zz" * 20])
def test_other_lengths_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"20 bytes|non-hexadecimal"):
        checksum(bad)
    with pytest.raises(ValueError, match=r"20 bytes|non-hexadecimal"):
        address_bytes(bad)
    with pytest.raises(ValueError, match="32 bytes"):
        create2_address("0x" + "00" * 20, b"\0", b"")


def test_keccak() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
