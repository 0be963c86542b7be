"""``oneseat clients``."""

from __future__ import annotations

from typing import Any, get_args

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.gateway.clients import add_client, list_clients, remove_client, rotate_client
from oneseat.cli.output import complain, echo
from oneseat.cli.views.table import table
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.gateway.clients import (
    DEFAULT_PARALLEL,
    UNDECLARED,
    ApiClient,
    ClientList,
    NewKey,
    OnUnsupported,
    WalletWord,
)
from oneseat.contract.request import OWNERS, READERS, PurposeWords

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_DOLLARS = click.FloatRange(min=0, min_open=True)
_COUNT = click.IntRange(min=1)


@click.group(
    "clients",
    epilog="""\b
Examples:
  oneseat clients add my-editor --author me --reader me --work-of me
  oneseat clients list
  oneseat clients rotate my-editor
  oneseat clients remove my-editor""",
)
def command() -> None:
    """Add, list and remove the programs that may use `oneseat serve` over HTTP, each with a key and a purpose of its own."""


@command.command("add")
@click.argument("name")
@click.option(
    "--author", metavar="WHO", help="Who writes its requests: me, automation (your own), or another's name."
)
@click.option(
    "--reader",
    metavar="WHO",
    type=click.Choice(READERS),
    help=f"Who reads the answers: {', '.join(READERS)}.",
)
@click.option(
    "--work-of", metavar="WHO", type=click.Choice(OWNERS), help=f"Whose work it is: {', '.join(OWNERS)}."
)
@click.option("--role", metavar="ROLE", help="Serve all its requests by this role of your settings.")
@click.option(
    "--wallets",
    metavar="LIST",
    help="What may pay: plan, api_key or both; default: what your settings allow.",
)
@click.option("--day-budget", metavar="USD", type=_DOLLARS, help="What it may cost a day, at list price.")
@click.option("--month-budget", metavar="USD", type=_DOLLARS, help="What it may cost a month, at list price.")
@click.option(
    "--tools",
    metavar="LIST",
    default="none",
    show_default=True,
    help="Tools here: none, read, edit, all, or names.",
)
@click.option("--project", metavar="PROJECT", help="The project whose directory and tools its requests get.")
@click.option(
    "--parallel",
    metavar="N",
    type=_COUNT,
    default=DEFAULT_PARALLEL,
    show_default=True,
    help="Requests at a time.",
)
@click.option("--per-minute", metavar="N", type=_COUNT, help="Requests a minute; further ones are refused.")
@click.option(
    "--on-unsupported",
    type=click.Choice(get_args(OnUnsupported)),
    default="ignore",
    show_default=True,
    help="What to do about a parameter that the plan's program cannot follow, such as temperature.",
)
@click.option(
    "--cache",
    metavar="SECONDS",
    type=click.IntRange(min=0),
    default=0,
    help="Give the same answer again to the same request for so long; never with tools.",
)
@_AS_JSON
def add(*, as_json: bool, wallets: str | None, **options: Any) -> None:
    """Add the client NAME and print its key, this once.

    What you do not declare is not known, and what is not known never runs on a plan.
    """
    client = ApiClient(
        name=options["name"],
        purpose=PurposeWords(
            asked_by=options["author"] or UNDECLARED,
            reader=options["reader"] or UNDECLARED,
            work_of=options["work_of"] or UNDECLARED,
        ),
        role=options["role"],
        wallets=_wallets(wallets),
        day_budget_usd=options["day_budget"],
        month_budget_usd=options["month_budget"],
        tools=options["tools"],
        project=options["project"],
        parallel=options["parallel"],
        per_minute=options["per_minute"],
        on_unsupported=options["on_unsupported"],
        cache_s=options["cache"],
    )
    _show_key(add_client(Installation(), client), as_json=as_json)


@command.command("list")
@_AS_JSON
def show(*, as_json: bool) -> None:
    """List the clients and what each was declared to be. No part of a key is shown."""
    report = list_clients(Installation())
    if as_json:
        echo(to_json(report))
    elif report.clients:
        echo(_text(report))
    else:
        complain("No clients. Add one: oneseat clients add NAME --author me --reader me --work-of me\n")


@command.command("rotate")
@click.argument("name")
@_AS_JSON
def rotate(*, name: str, as_json: bool) -> None:
    """Give the client NAME another key and print it, this once; the old one is refused from now on."""
    _show_key(rotate_client(Installation(), name), as_json=as_json)


@command.command("remove")
@click.argument("name")
@_AS_JSON
def remove(*, name: str, as_json: bool) -> None:
    """Remove the client NAME; its key is refused from now on."""
    removed = remove_client(Installation(), name)
    echo(to_json(removed) if as_json else f"removed: {removed.removed}")


def _wallets(text: str | None) -> tuple[WalletWord, ...]:
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    known = get_args(WalletWord)
    if unknown := [word for word in words if word not in known]:
        raise UsageError(
            ErrorInfo(
                code="usage.arguments",
                message=f"Not a wallet of a client: `{unknown[0]}`\n  wallets are {', '.join(known)}",
                hint="Name one or both: `--wallets plan,api_key`",
            )
        )
    return tuple(word for word in known if word in words)


def _show_key(made: NewKey, *, as_json: bool) -> None:
    if as_json:
        echo(to_json(made))
        return
    echo(made.key)
    complain(f"The key of {made.client}. It is shown this once; oneseat keeps only a hash of it\n")


def _text(report: ClientList) -> str:
    head = ("name", "author", "reader", "work of", "wallets", "role", "tools", "per day")
    return "\n".join(table([head, *map(_row, report.clients)]))


def _row(client: ApiClient) -> tuple[str, ...]:
    purpose = client.purpose
    return (
        client.name,
        purpose.asked_by or UNDECLARED,
        purpose.reader or UNDECLARED,
        purpose.work_of or UNDECLARED,
        ",".join(client.wallets) or "-",
        client.role or "-",
        client.tools,
        "-" if client.day_budget_usd is None else f"${client.day_budget_usd:.2f}",
    )
