"""The position index agrees with tomllib about what is there, and with the text about where."""

from __future__ import annotations

import tomllib
from typing import Any

import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.manifest.positions import Path, index

TRICKY = '''\
# a comment with [brackets] and = signs
a.b."c d" = 1
"quoted \\" key" = "x # not a comment"
'literal.key' = 'y'
multi = """
[not.a.table]
x = 1 \\""" still"""
raw = \'\'\'
[neither]
\'\'\'
array = [ # comment ]
  1, "two, ]", [3, { k = "v}" }],
]
[ table . "sub.table" ]
inline = { one = 1, two.three = [ { four = 4 } ] }
[[list]]
name = "first"
[list.child]
deep = true
[[list]]
name = "second"
[[list.inner]]
x = 1
'''


def _paths(value: Any, path: Path = ()) -> set[Path]:
    found = {path} if path else set()
    if isinstance(value, dict):
        for key, item in value.items():
            found |= _paths(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            found |= _paths(item, (*path, position))
    return found


def test_every_value_of_a_tricky_text_is_found() -> None:
    found = index(TRICKY)
    assert set(found.keys) == _paths(tomllib.loads(TRICKY))
    assert not found.duplicates
    assert found.too_deep is None


def test_values_stand_where_the_index_says() -> None:
    found = index(TRICKY)
    lines = TRICKY.split("\n")

    def at(*path: str | int) -> str:
        spot = found.values[path]
        return lines[spot.line - 1][spot.column - 1 :]

    assert at("a", "b", "c d").startswith("1")
    assert at("array", 1).startswith('"two')
    assert at("array", 2, 1, "k").startswith('"v}"')
    assert at("table", "sub.table", "inline", "two", "three", 0, "four").startswith("4")
    assert at("list", 1, "name").startswith('"second"')
    assert lines[found.keys[('quoted " key',)].line - 1].startswith('"quoted')


_KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
_VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20),
        st.sampled_from(["\n", "a\nb", '"""', "'''", "\\", "#", "]", "}", ","]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=5))
def test_every_value_of_any_toml_is_found(data: dict[str, Any]) -> None:
    text = tomlkit.dumps(data)
    found = index(text)
    assert set(found.keys) == _paths(tomllib.loads(text))
    assert not found.duplicates
    assert all(found.values[path].line <= text.count("\n") + 1 for path in found.values)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")), st.text("[]{}=.,\"'#\n\\ ab1"))
def test_no_text_makes_it_raise(one: str, two: str) -> None:
    index(one)
    index(two)


def test_line_ends_of_windows_change_no_place() -> None:
    unix, windows = index(TRICKY), index(TRICKY.replace("\n", "\r\n"))
    assert unix.keys == windows.keys
    assert unix.values == windows.values
