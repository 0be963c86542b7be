"""``[roles.NAME]`` tables: a kind of work, and who may serve it in which order."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from oneseat.contract.routes import RoleSettings, Wanted

from .checks import DOLLARS, Check, PartError
from .named_tables import Contradiction, NamedTable

_EXAMPLE = '`[{ provider = "claude-cli", model = "opus" }, { key = "work" }]`'


def _candidates(value: object) -> tuple[Wanted, ...]:
    try:
        wanted = msgspec.convert(value, tuple[Wanted, ...])
    except msgspec.ValidationError as error:
        raise PartError(str(error)) from None
    if not wanted:
        raise PartError("there is none")
    for number, each in enumerate(wanted, 1):
        if (each.provider is None) == (each.key is None):
            raise PartError(f"candidate {number} needs one of `provider` and `key`")
    return wanted


def _contradiction(_: str, table: Mapping[str, object]) -> Contradiction | None:
    if "candidates" not in table:
        return Contradiction("it has no `candidates`", f"Name them, as in `candidates = {_EXAMPLE[1:]}")
    return None


ROLES = NamedTable(
    table="roles",
    noun="Role",
    make=RoleSettings,
    contradiction=_contradiction,
    keys={
        "candidates": (
            Check(f"a list of candidates, such as {_EXAMPLE}", _candidates),
            (
                "Who may serve it, the most wanted first: `provider` (a seat) or `key`, `model`, and `when` with `tiers`, "
                "`window_below_percent`, `budget_left_usd`, `prompt_below_tokens`, `prompt_from_tokens`, `only_with`, `never_with`"
            ),
        ),
        "run_budget_usd": (DOLLARS, "What one run of the role may cost"),
        "day_budget_usd": (DOLLARS, "What the runs of one day may cost together in this role"),
        "month_budget_usd": (DOLLARS, "What the runs of one month may cost together in this role"),
    },
)
