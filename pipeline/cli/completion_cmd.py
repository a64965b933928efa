"""``ship completion``: the script that makes a shell complete commands, options and targets."""

from __future__ import annotations

import click

__all__ = ["command"]

_HINTS = {
    "bash": "To install it:  ship completion bash > ~/.local/share/bash-completion/completions/ship",
    "zsh": 'To install it:  ship completion zsh > "${fpath[1]}/_ship", or add  eval "$(ship completion zsh)"  to ~/.zshrc',
    "fish": "To install it:  ship completion fish > ~/.config/fish/completions/ship.fish",
}


@click.command(name="completion")
@click.argument("shell", type=click.Choice(sorted(_HINTS)))
def command(shell: str) -> None:
    """Print the completion script for SHELL on stdout, and how to install it on stderr."""
    from click.shell_completion import get_completion_class

    from pipeline.cli.group import ship

    completion = get_completion_class(shell)
    assert completion is not None
    script = completion(ship, {}, "ship", "_SHIP_COMPLETE")
    click.echo(script.source_template % script.source_vars())
    click.echo(_HINTS[shell], err=True)
