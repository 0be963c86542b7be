"""``oneseat completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from oneseat.cli.output import echo


@click.command(
    "completion",
    epilog="""\b
Put the line of your shell where it is read at its start:
  bash, ~/.bashrc  eval "$(oneseat completion bash)"
  zsh, ~/.zshrc    eval "$(oneseat completion zsh)"
  fish             oneseat completion fish > ~/.config/fish/completions/oneseat.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL."""
    from oneseat.cli.main import oneseat  # noqa: PLC0415 - main loads this module by name, so it cannot be imported first

    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"No completion for `{shell}`")
    echo(completer(oneseat, {}, "oneseat", "_ONESEAT_COMPLETE").source())
