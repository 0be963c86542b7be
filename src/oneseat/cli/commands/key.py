"""``oneseat key``."""

from __future__ import annotations

import sys
from typing import get_args

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.keys import MAX_KEY_LENGTH, change_key, list_keys, looks_like_key, remove_key
from oneseat.cli.options.completing import completer
from oneseat.cli.output import complain, echo, read_stdin
from oneseat.cli.views.keys import list_text
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.providers import KeyProvider
from oneseat.contract.reports.setup import KeyRemoved, KeyStored


@click.group(
    "key",
    epilog="""\b
Examples:
  oneseat key set work --provider anthropic
  oneseat key list
  oneseat key remove work""",
)
def command() -> None:
    """Store, list and remove API keys. A key is never an argument, never printed, and in no file but one you choose."""


@command.command(
    "set",
    epilog="""\b
Examples:
  oneseat key set work --provider anthropic
  oneseat key set work < key.txt
  oneseat key set ci --provider openai --env OPENAI_API_KEY
  oneseat key set work --provider gemini --file ~/.config/keys/gemini""",
)
@click.argument("name", shell_complete=completer("key"))
@click.argument("key", nargs=-1, metavar="")
@click.option("--provider", type=click.Choice(get_args(KeyProvider)), help="Whose API the key is for.")
@click.option("--env", metavar="VARIABLE", help="Read the key from this variable; oneseat stores nothing.")
@click.option("--file", metavar="PATH", help="Store the key in this private file, not in the keyring.")
@click.option("--base-url", metavar="URL", help="Send requests to this address instead of the vendor's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: where the key is.")
def set_key(
    *,
    name: str,
    key: tuple[str, ...],
    provider: str | None,
    env: str | None,
    file: str | None,
    base_url: str | None,
    as_json: bool,
) -> None:
    """Store the API key NAME: typed at a hidden prompt, or read from standard input."""
    is_key = looks_like_key(name)
    if key or is_key:
        # Not click's own words, which would repeat it. And a key that is taken for a name would be written to the settings.
        raise UsageError(
            ErrorInfo(
                code="usage.arguments",
                message="A key is never an argument: other users see it, and your shell keeps it in its history\n"
                "  what was typed just now may be in there already: have a new key made in its place",
                hint=f"Type it when you are asked: `oneseat key set {'NAME' if is_key else name}`",
            )
        )
    change = change_key(
        Installation(), name, {"provider": provider, "env": env, "file": file, "base_url": base_url}
    )
    doubt, changed = change.store(_value(name) if change.takes_value else None)
    if as_json:
        settings_file = change.settings_file if changed else None
        echo(
            to_json(
                KeyStored(
                    name=name,
                    place=change.key.place,
                    stored=change.takes_value,
                    settings_file=settings_file,
                    doubt=doubt,
                )
            )
        )
        return
    if doubt is not None:
        complain(f"warning: {doubt}\n")
    if change.takes_value:
        echo(f"kept in {change.key.place}: {name}")
    else:
        echo(f"to be read from {change.key.place}: {name}" if change.key.env else f"no key is needed: {name}")
    if changed:
        echo(f"written to {change.settings_file}: [keys.{name}]")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show_keys(*, as_json: bool) -> None:
    """List the API keys of your settings, and whether each is present. No part of a key is shown."""
    report = list_keys(Installation())
    if as_json:
        echo(to_json(report))
    elif report.keys:
        echo(list_text(report))
    else:
        complain("No API keys. Add one: oneseat key set NAME --provider anthropic\n")


@command.command("remove")
@click.argument("name", shell_complete=completer("key"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def remove(*, name: str, as_json: bool) -> None:
    """Delete the API key NAME from where oneseat stores it."""
    there, still_named = remove_key(Installation(), name)
    if as_json:
        echo(to_json(KeyRemoved(name=name, removed=there, still_named=still_named)))
        return
    echo(f"removed: {name}" if there else f"nothing to remove: {name}")
    if still_named:
        echo(f"your settings still name it: [keys.{name}]")


def _value(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"API key for {name} (not shown)", hide_input=True, err=True))
    # A little more than the longest one, so that a file that is no key is not taken for the key it begins with.
    data = read_stdin(MAX_KEY_LENGTH + 100)
    if not data.strip():
        # The file that it is to be kept in would be blamed, which may hold one.
        raise UsageError(
            ErrorInfo(
                code="usage.arguments",
                message=f"No key on standard input: `{name}`\n  it is read from there, also where it is to be kept in a file",
                hint=f"Give it the file that holds it: `oneseat key set {name} < key.txt`",
            )
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            ErrorInfo(code="usage.invalid_utf8", message="Standard input is not UTF-8")
        ) from None
