"""The keys that state a purpose, and ``[clients.NAME]`` tables: people and firms that the owner works for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from oneseat.contract.request import OWNERS, READERS, PurposeWords

from .checks import DOLLARS, TEXT, Check, one_of
from .tables import Contradiction, NamedTable

#: The keys that state a purpose, in every table that may have one.
PURPOSE_KEYS: Mapping[str, tuple[Check, str]] = {
    "for": (
        TEXT,
        "Who writes the requests: `me`, `automation` (your own), `anonymous`, `unknown`, or another person's name",
    ),
    "reader": (
        one_of(*READERS),
        "Who reads the answers; `reviewed`: published after you have read them, `published`: without review",
    ),
    "work_of": (one_of(*OWNERS), "Whose work it is"),
}


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A client of the owner. By default the owner asks and reads, and the work is the client's.

    Budgets are in US dollars at list price.
    """

    name: str
    purpose: PurposeWords
    run_budget_usd: float | None = None
    day_budget_usd: float | None = None
    month_budget_usd: float | None = None


def purpose_in(table: Mapping[str, Any]) -> PurposeWords:
    """The purpose that a table states."""
    return PurposeWords(asked_by=table.get("for"), reader=table.get("reader"), work_of=table.get("work_of"))


def without_purpose(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without the keys of a purpose."""
    return {name: value for name, value in table.items() if name not in PURPOSE_KEYS}


def _make(name: str, **table: Any) -> Client:
    purpose = purpose_in(table).over(PurposeWords(work_of="client"))
    return Client(name=name, purpose=purpose, **without_purpose(table))


def _contradiction(_name: str, _table: Mapping[str, object]) -> Contradiction | None:
    return None


CLIENTS = NamedTable(
    table="clients",
    noun="Client",
    make=_make,
    contradiction=_contradiction,
    keys={
        **PURPOSE_KEYS,
        "run_budget_usd": (DOLLARS, "Budget of one run for the client"),
        "day_budget_usd": (DOLLARS, "Daily budget of the client"),
        "month_budget_usd": (DOLLARS, "Monthly budget of the client"),
    },
)
