"""What a shell completes beyond the options themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from oneseat.app import Installation
from oneseat.contract.errors import OneseatError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: What a shell asks for the words of an argument.
Completer = Callable[[click.Context, click.Parameter, str], list["CompletionItem"]]


def completer(what: str, *, lists: bool = False) -> Completer:
    """Offers the names of ``what``, a key of ``names.NAMES``, that begin as the person has typed.

    With ``lists``, what is typed is a list with commas. Nothing is offered where the settings or the ledger cannot be read.
    """

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell that completes needs it

        from .names import NAMES  # noqa: PLC0415 - as above

        before, comma, begun = incomplete.rpartition(",") if lists else ("", "", incomplete)
        try:
            found = list(NAMES[what](Installation()))
        except OneseatError:
            return []
        return [
            CompletionItem(f"{before}{comma}{name}", help=note)
            for name, note in found
            if name.startswith(begun)
        ]

    return complete
