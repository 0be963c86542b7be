"""``[roles.NAME]`` tables: a kind of work, and its candidates in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

import msgspec

from oneseat.contract.routing import Conditions, RoleSettings, Wanted

from .checks import DOLLARS, Check, PartError
from .tables import Contradiction, NamedTable

_EXAMPLE = '`[{ provider = "claude-cli", model = "opus" }, { key = "work" }]`'


def _candidates(value: object) -> tuple[Wanted, ...]:
    rows = value if isinstance(value, list) else []
    if not rows:
        raise PartError("there is none")
    found: list[Wanted] = []
    wrong: list[str] = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(_wanted(row, f"candidate {number}"))
        except PartError as error:
            # All of them in one error, so that they can be fixed together.
            wrong.append(str(error))
    if wrong:
        raise PartError("; ".join(wrong))
    return tuple(found)


def _wanted(row: object, place: str) -> Wanted:
    when = row.get("when") if isinstance(row, dict) else None
    unknown = [*_unknown_keys(row, Wanted, place), *_unknown_keys(when, Conditions, f"`when` of {place}")]
    if unknown:
        raise PartError("; ".join(unknown))
    try:
        wanted = msgspec.convert(row, Wanted)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise PartError(f"{place}{where.strip('`').replace('$', '')}: {what}") from None
    if (wanted.provider is None) == (wanted.key is None):
        raise PartError(f"{place} needs one of `provider` and `key`")
    return wanted


def _unknown_keys(row: object, kind: type[msgspec.Struct], place: str) -> Iterator[str]:
    """Refuse unknown keys first, each with the nearest valid one."""
    known = kind.__struct_fields__
    for key in row if isinstance(row, dict) else ():
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(known)}"
            yield f"{place} has no key `{key}`{hint}"


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
                "Candidates in order of preference: `provider` (a seat) or `key`, `model`, and `when` with `tiers`, "
                "`window_below_percent`, `budget_left_usd`, `prompt_below_tokens`, `prompt_from_tokens`, `only_with`, `never_with`"
            ),
        ),
        "run_budget_usd": (DOLLARS, "Budget of one run in this role"),
        "day_budget_usd": (DOLLARS, "Daily budget of this role"),
        "month_budget_usd": (DOLLARS, "Monthly budget of this role"),
    },
)
