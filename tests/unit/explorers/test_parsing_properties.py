"""Whatever a service answers, it is a verdict, or to be asked again: never a crash, never a success out of nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chains.evm.explorers.base import Submission
from chains.evm.explorers.etherscan_words import is_ticket, may_lack_sources, meaning, words
from chains.evm.explorers.shown import differences, is_verified, similar_to
from chains.evm.verify.metadata import read_metadata
from chains.evm.verify.opcodes import evm_floor, instructions

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("SourceCode", "ContractName", "CompilerVersion", "ConstructorArguments", "SimilarMatch", "FileName")
SHOWN = st.dictionaries(st.sampled_from([*FIELDS, "AdditionalSources", "ABI"]), JSON, max_size=8)
EXPECTED = Submission(
    1, "0x" + "00" * 20, "a.sol:A", "v0.8.37+commit.f401782d", b'{"sources":{"a.sol":{"content":"A"}}}', b"", None
)


@given(JSON)
def test_words_are_text_or_nothing(value: Any) -> None:
    text = words(value)
    assert text is None or text.strip()


@given(st.text())
def test_every_text_has_one_meaning(text: str) -> None:
    meaning(text)
    may_lack_sources(text)


@given(st.text(alphabet=st.characters(codec="ascii")), st.text(min_size=1))
def test_a_sentence_is_no_ticket(one: str, two: str) -> None:
    assert not is_ticket(f"{one} {two}")


@given(SHOWN)
def test_only_the_very_sources_are_an_exact_match(shown: dict[str, Any]) -> None:
    is_verified(shown)
    similar_to(shown)
    if not differences(shown, EXPECTED):
        assert "A" in str(shown["SourceCode"])


@given(st.dictionaries(st.sampled_from(["sources", "settings", "language"]), JSON))
def test_standard_json_of_any_shape_is_compared(document: dict[str, Any]) -> None:
    assert differences({"SourceCode": "{" + json.dumps(document) + "}"}, EXPECTED)


@given(st.binary(max_size=200))
def test_any_code_has_metadata_or_none(code: bytes) -> None:
    read_metadata(code)
    read_metadata(code + b"\xa2" + code[:20] + (1 + len(code[:20])).to_bytes(2, "big"))
    evm_floor(code)
    assert len(list(instructions(code))) <= len(code)
