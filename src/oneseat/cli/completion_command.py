"""``oneseat completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .output import echo

_LINES = {
    "bash": 'Put it into ~/.bashrc:  eval "$(oneseat completion bash)"',
    "zsh": 'Put it into ~/.zshrc:  eval "$(oneseat completion zsh)"',
    "fish": "Save it:  oneseat completion fish > ~/.config/fish/completions/oneseat.fish",
}


@click.command("completion", epilog="  ".join(_LINES.values()))
@click.argument("shell", type=click.Choice(list(_LINES)))
def command(shell: str) -> None:
    """Print the completion script for SHELL."""
    from .main import oneseat  # noqa: PLC0415 - main loads this module by name, so it cannot be imported first

    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"No completion for `{shell}`")
    echo(completer(oneseat, {}, "oneseat", "_ONESEAT_COMPLETE").source())
