"""``oneseat help``."""

from __future__ import annotations

import click

from oneseat.cli.output import echo


@click.command(
    "help",
    epilog="""\b
Examples:
  oneseat help run
  oneseat help config check""",
)
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Print the help of COMMAND, the same as `oneseat COMMAND --help`."""
    shown = ctx.find_root()
    found: click.Command = shown.command
    for name in names:
        if not isinstance(found, click.Group):
            raise click.UsageError(f"`{shown.command_path}` has no command `{name}`", shown)
        _, inner, _ = found.resolve_command(shown, [name])
        if inner is None:
            raise click.UsageError(f"No such command: `{name}`", shown)
        found, shown = inner, click.Context(inner, info_name=name, parent=shown)
    echo(found.get_help(shown))
