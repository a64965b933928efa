"""Keys from a wallet's words: published vectors, and a second implementation."""

from __future__ import annotations

import pytest
from eth_account.hdaccount import seed_from_mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair

from pipeline.signing.development import _DEVELOPMENT_SEED
from pipeline.signing.keystore import LocalKey
from pipeline.signing.mnemonic import MAX_INDEX, WrongWords, ethereum_key, slip10_ed25519, solana_seed

JUNK = "test test test test test test test test test test test junk"
ABANDON = "abandon " * 11 + "about"

# SLIP-0010, "Test vector 1 for ed25519".
SLIP10 = {
    (): "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
    (0,): "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
    (0, 1): "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2",
    (0, 1, 2): "92a5b23c0b8a99e37d07df3fb9966917f5d06e02ddbd909c7e184371463e9fc9",
    (0, 1, 2, 2): "30d1dc7e5fc04c31219ab25a27ae00b50f6fd66622f6e9c913253d6511d1e662",
    (0, 1, 2, 2, 1_000_000_000): "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793",
}


@pytest.mark.parametrize("path", SLIP10)
def test_slip_0010_for_ed25519(path):
    assert slip10_ed25519(bytes(range(16)), path).hex() == SLIP10[path]


def test_the_first_solana_account_of_known_words():
    """As Solana's wallets show it."""
    found = Keypair.from_seed(solana_seed(ABANDON, "", 0)).pubkey()
    assert str(found) == "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk"


@given(st.integers(0, MAX_INDEX), st.text(max_size=12))
@settings(max_examples=25, deadline=None)
def test_solana_accounts_agree_with_a_second_implementation(index, passphrase):
    import unicodedata

    plain = unicodedata.normalize("NFKD", passphrase)
    other = Keypair.from_seed_and_derivation_path(seed_from_mnemonic(JUNK, plain), f"m/44'/501'/{index}'/0'")
    assert Keypair.from_seed(solana_seed(JUNK, passphrase, index)).pubkey() == other.pubkey()


def test_the_accounts_of_anvils_words():
    addresses = [LocalKey(ethereum_key(JUNK, "", index), "x").address for index in range(2)]
    assert addresses == ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]


def test_spaces_do_not_matter_and_the_passphrase_does():
    assert ethereum_key(f"  {JUNK.replace(' ', '   ')}\t", "", 0) == ethereum_key(JUNK, "", 0)
    assert ethereum_key(JUNK, "x", 0) != ethereum_key(JUNK, "", 0)


@pytest.mark.parametrize(
    "words", ["", "test", JUNK + " junk", JUNK[:-4] + "test", "secretword " * 12, "0x" + "11" * 32]
)
def test_words_that_are_none_are_not_repeated(words):
    with pytest.raises(WrongWords) as caught:
        ethereum_key(words, "", 0)
    assert caught.value.__cause__ is None
    assert not any(word in str(caught.value) for word in words.split())


@pytest.mark.parametrize("index", [-1, MAX_INDEX + 1])
def test_an_index_out_of_range(index):
    with pytest.raises(WrongWords):
        solana_seed(JUNK, "", index)


def test_the_development_key_of_solana_is_the_first_of_anvils_words():
    assert solana_seed(JUNK, "", 0) == _DEVELOPMENT_SEED
