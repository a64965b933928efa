"""The changelog: checked in the form of Keep a Changelog, cut without losing a line."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.changelog.checking import problems_in
from pipeline.changelog.cutting import cut, with_items
from pipeline.changelog.errors import ChangelogInvalid, ChangelogNotCut
from pipeline.changelog.parsing import SECTIONS, parse

DAY = date(2026, 11, 24)
LOG = """\
# Changelog

Words about it.

## [Unreleased]

### Added

- A way out.

```markdown
## [9.9.9]
```

<!-- ## [8.8.8] is a comment
## [7.7.7] too
-->

## [1.1.0] - 2026-10-01

### Fixed

- A door.

## [1.0.0] - 2026-09-01 [YANKED]

The first.

[unreleased]: https://example.org/acme/compare/v1.1.0...HEAD
[1.1.0]: https://example.org/acme/compare/v1.0.0...v1.1.0
[1.0.0]: https://example.org/acme/releases/tag/v1.0.0
"""


def causes(text: str, version: str | None = None) -> list[str]:
    return [problem.cause for problem in problems_in(parse(text), "CHANGELOG.md", version)]


def test_what_is_in_form_has_no_problem() -> None:
    assert causes(LOG, "1.1.0") == []
    assert [entry.name for entry in parse(LOG).entries] == ["Unreleased", "1.1.0", "1.0.0"]
    assert parse(LOG).text_of(parse(LOG).entries[2]).strip() == "The first."


@pytest.mark.parametrize(
    ("old", "new", "cause", "line"),
    [
        ("# Changelog\n", "\n", "There is no title.", 1),
        ("2026-10-01", "01.10.2026", "1.1.0 has no date in ISO form: 01.10.2026.", 19),
        ("2026-10-01", "2026-02-30", "1.1.0 has no date in ISO form: 2026-02-30.", 19),
        (" - 2026-10-01", "", "1.1.0 has no date in ISO form: nothing stands behind the version.", 19),
        ("2026-10-01", "2026-08-01", "1.0.0 is of 2026-09-01, which is after 1.1.0 above it, of 2026-08-01.", 25),
        ("[1.1.0] - 2026-10-01", "[0.9.0] - 2026-09-01", "1.0.0 stands below 0.9.0, which is lower.", 25),
        ("## [1.0.0]", "## [1.1.0]", "1.1.0 has an entry in line 19 already.", 25),
        ("## [1.1.0]", "## [1.1]", "1.1 is not a SemVer 2.0 version.", 19),
        ("### Fixed", "### Mended", "Mended is no section of Keep a Changelog.", 21),
        ("- A door.\n", "", "Fixed of 1.1.0 is empty.", 21),
        ("### Fixed\n", "### Fixed\n\n- A.\n\n### Fixed\n", "Fixed stands twice under 1.1.0.", 25),
        ("[1.0.0]: https", "[1.0.1]: https", "[1.0.0] has no link, others have.", 25),
    ],
)  # fmt: skip
def test_each_problem_is_named_with_its_line(old: str, new: str, cause: str, line: int) -> None:
    text = LOG.replace(old, new, 1)
    assert text != LOG
    found = {problem.cause: problem.where.line for problem in problems_in(parse(text), "C")}  # type: ignore[union-attr]
    assert found.get(cause) == line, found


def test_unreleased_stands_first() -> None:
    text = "# C\n\n## 1.0.0 - 2026-09-01\n\n- A.\n\n## [Unreleased]\n"
    assert causes(text) == ["[Unreleased] is not the first entry."]


def test_the_version_needs_an_entry_that_says_something() -> None:
    assert causes(LOG, "2.0.0") == ["There is no entry for 2.0.0."]
    assert causes(LOG.replace("The first.\n", ""), "1.0.0") == ["The entry for 1.0.0 says nothing."]


def test_cutting_puts_lines_in_and_changes_one_link() -> None:
    made = cut(LOG, "C", "1.2.0", DAY)
    expected = LOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n## [1.2.0] - 2026-11-24\n").replace(
        "[unreleased]: https://example.org/acme/compare/v1.1.0...HEAD\n",
        "[unreleased]: https://example.org/acme/compare/v1.2.0...HEAD\n"
        "[1.2.0]: https://example.org/acme/compare/v1.1.0...v1.2.0\n",
    )
    assert made.text == expected
    assert made.entry.strip().startswith("### Added\n\n- A way out.")
    again = cut(made.text, "C", "1.2.0", DAY)
    assert (again.there, again.text) == (True, made.text)


@pytest.mark.parametrize(
    ("text", "version", "day", "cause"),
    [
        (LOG, "1.1.0", DAY, "1.1.0 has an entry already, and [Unreleased] holds more"),
        (LOG, "1.2", DAY, "1.2 is not a SemVer"),
        (LOG, "1.2.0", date(2026, 9, 15), "1.2.0 of 2026-09-15 would not fit"),
        (LOG, "1.0.9", date(2026, 10, 1), "1.0.9 of 2026-10-01 would not fit"),
        ("# C\n\n## [Unreleased]\n", "1.0.0", DAY, "there is nothing under"),
        ("# C\n", "1.0.0", DAY, "there is nothing under"),
    ],
)
def test_what_is_not_cut(text: str, version: str, day: date, cause: str) -> None:
    with pytest.raises(ChangelogNotCut) as caught:
        cut(text, "C", version, day)
    assert caught.value.cause.startswith(cause)


def test_a_changelog_out_of_form_is_not_cut_but_named_whole() -> None:
    with pytest.raises(ChangelogInvalid) as caught:
        cut(LOG.replace("### Fixed", "### Mended").replace("# Changelog", ""), "C", "1.2.0", DAY)
    assert len(caught.value.problems) == 2


words = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), min_size=1, max_size=30).map(
    lambda text: "x" + text
)
bodies = st.dictionaries(st.sampled_from(SECTIONS), st.lists(words, min_size=1, max_size=3), max_size=4)


def _body(body: dict[str, list[str]]) -> str:
    return "".join(f"### {name}\n\n" + "".join(f"- {w}\n" for w in items) + "\n" for name, items in body.items())


@given(bodies.filter(bool), bodies.filter(bool), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_nothing_is_lost(new: dict[str, list[str]], old: dict[str, list[str]], end: str, final: bool) -> None:
    text = f"# C\n\n## [Unreleased]\n\n{_body(new)}## [1.0.0] - 2026-09-01\n\n{_body(old)}".replace("\n", end)
    text = text if final else text.rstrip()
    made = cut(text, "C", "1.1.0", DAY).text
    heading = f"{end}## [1.1.0] - 2026-11-24{end}"
    assert made.count(heading) == 1
    assert made.replace(heading, "", 1) == text
    assert causes(made, "1.1.0") == []
    assert parse(made).unreleased is not None
    assert not parse(made).unreleased.filled  # type: ignore[union-attr]


@given(bodies, bodies)
def test_items_are_put_in_once_and_in_the_order_of_sections(
    there: dict[str, list[str]], more: dict[str, list[str]]
) -> None:
    text = f"# C\n\n## [Unreleased]\n\n{_body(there)}## 1.0.0 - 2026-09-01\n\n- x\n"
    made = with_items(text, more)
    entry = parse(made).unreleased
    assert entry is not None
    for name in {*there, *more}:
        (section,) = [section for section in entry.sections if section.name == name]
        held = parse(made).text_of(section).splitlines()
        for word in (*there.get(name, ()), *more.get(name, ())):
            assert f"- {word}".rstrip() in {line.rstrip() for line in held}
    assert with_items(made, more) == made
    assert "".join(made.split("## 1.0.0")[1:]) == " - 2026-09-01\n\n- x\n"


def test_items_where_there_is_no_unreleased_yet() -> None:
    made = with_items("# C\n\n## 1.0.0 - 2026-09-01\n\n- A.\n", {"Fixed": ["A door."], "Added": ["A way."]})
    assert made == (
        "# C\n\n## [Unreleased]\n\n### Added\n\n- A way.\n\n### Fixed\n\n- A door.\n\n## 1.0.0 - 2026-09-01\n\n- A.\n"
    )
    assert causes(made) == []
