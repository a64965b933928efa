"""Options shared by commands."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.ui.base import Ui
    from pipeline.ui.board import Board

__all__ = ["chain_option", "json_option", "make_board", "make_ui", "password_options", "project_option"]

R = TypeVar("R")


def project_option(function: Callable[..., R]) -> Callable[..., R]:
    """``-C DIR``: handed to the function as ``root``, absolute."""

    @click.option(
        "-C",
        "directory",
        metavar="DIR",
        default=".",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The project's folder [default: this one].",
    )
    @functools.wraps(function)
    def with_root(*args: Any, directory: Path, **kwargs: Any) -> R:
        return function(*args, root=directory.resolve(), **kwargs)

    return with_root


def _complete_target(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    folder = Path(ctx.params.get("directory") or ".") / "manifests"
    names = {path.stem for path in folder.glob("*.toml")} | {"local"}
    return sorted(name for name in names if name.startswith(incomplete))


def chain_option(*, required: bool = True, several: bool = False) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """``--chain T``: the name of a target."""
    return click.option(
        "--chain",
        "chain",
        metavar="TARGET",
        required=required,
        shell_complete=_complete_target,
        help="The target: a file in manifests/, by name." + (" Several: a,b,c." if several else ""),
    )


def json_option(function: Callable[..., R]) -> Callable[..., R]:
    """``--json``: one JSON document on stdout; progress goes to stderr."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")(
        function
    )


def password_options(function: Callable[..., R]) -> Callable[..., R]:
    """``--password-file`` and ``--password-fd``, handed over as ``password``."""

    @click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with the keystore's password, mode 0600.",
    )
    @click.option("--password-fd", type=int, help="An open file descriptor to read the password from.")
    @functools.wraps(function)
    def with_password(*args: Any, password_file: Path | None, password_fd: int | None, **kwargs: Any) -> R:
        from pipeline.signing.password import PasswordOptions

        return function(*args, password=PasswordOptions(password_file, password_fd), **kwargs)

    return with_password


def make_ui(*, as_json: bool) -> Ui:
    """Live on a terminal; plain lines in a pipe or CI; plain lines on stderr beside JSON."""
    import os
    import sys

    if not as_json and sys.stdout.isatty() and not os.environ.get("CI"):
        from rich.console import Console

        from pipeline.ui.live import LiveUi

        return LiveUi(Console())
    from pipeline.ui.plain import PlainUi

    return PlainUi(sys.stderr if as_json else sys.stdout)


def make_board(*, as_json: bool) -> Callable[[list[str]], Board]:
    """What shows several targets at once, in the same places as ``make_ui``."""
    import os
    import sys

    def board(names: list[str]) -> Board:
        from pipeline.ui.board import LiveBoard, PlainBoard

        if not as_json and sys.stdout.isatty() and not os.environ.get("CI"):
            from rich.console import Console

            return LiveBoard(Console(), names)
        return PlainBoard(sys.stderr if as_json else sys.stdout, names)

    return board
