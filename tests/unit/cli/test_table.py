"""Columns for people."""

from __future__ import annotations

import click
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ui.table import Cell, state_cell, table

WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)


def test_columns_are_aligned_and_nothing_trails():
    assert table([("a", "bb", "c"), ("aaa", "b", ""), ("", "", "x")]) == ["  a    bb  c", "  aaa  b", "           x"]


def test_colours_do_not_move_columns():
    plain = table([("ok", "x"), ("missing", "y")])
    coloured = table([(state_cell("ok"), Cell("x", bold=True)), (state_cell("missing"), "y")])
    assert [click.unstyle(line) for line in coloured] == plain
    assert coloured != plain


@given(st.lists(st.lists(WORD, min_size=1, max_size=4), max_size=6))
def test_every_line_is_free_of_trailing_space(rows):
    for line in table(rows):
        assert line == line.rstrip()


def test_on_a_terminal_long_text_stays_in_its_column(monkeypatch):
    monkeypatch.setattr("pipeline.ui.table._terminal_width", lambda: 50)
    lines = table([("ok", "thing", "word " * 14), ("ok", "x", "0x" + "1" * 60)])
    assert [line[:13] for line in lines] == ["  ok  thing  ", "             ", "  ok  x      "]
    assert all(len(line) <= 50 for line in lines[:2])
