"""JSON from outside cannot end the process, whatever a library did to the recursion limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.jsontext import read_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)


@settings(deadline=None)
@given(values)
def test_ordinary_json_is_read(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("size", [150, 200])
def test_brackets_in_strings_and_side_by_side_are_no_nesting(size: int) -> None:
    value = ['[{"\\[' * 500, *[[{}]] * 500, [["x"]] * size]
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(b"[" * size + b"]" * size) is not None


@pytest.mark.parametrize(
    "text", [b"[" * 201 + b"]" * 201, b"[" * 500_000, b'{"a":' * 500_000, b'["' + b"[" * 300 + b'",' + b"[" * 201]
)
def test_absurd_nesting_is_refused_with_any_recursion_limit(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "deep").write_bytes(text)
    script = (
        "import sys; from pathlib import Path; from chains.jsontext import read_json; sys.setrecursionlimit(10**6)\n"
        "try: read_json(Path(sys.argv[1]).read_bytes())\n"
        "except ValueError: print('refused')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "deep"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "refused\n"
