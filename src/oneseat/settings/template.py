"""The settings file that `oneseat init` writes: the choices made, and every other common setting as a comment."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from oneseat.contract.keys import ApiKey

from .editing import dotted, toml_literal


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """The choices made at the first set-up. Budgets are in US dollars; ``None`` is no budget, or no pause.

    When the plan of ``seat`` may not or cannot serve, a run falls back to ``other_seat``, then to ``key``. ``host`` and ``plan``
    are ``None`` to let oneseat detect them.
    """

    humans: int = 1
    host: str | None = None
    plan: str | None = None
    seat: str = "claude-cli"
    other_seat: str | None = None
    key: ApiKey | None = None
    day_budget_usd: float | None = None
    pause_at_percent: int | None = None


def first_file(choices: Choices) -> str:
    """The text of the file."""
    return "\n".join(_lines(choices)) + "\n"


def _lines(choices: Choices) -> Iterator[str]:
    yield "# Settings of oneseat, written by `oneseat init`. `oneseat config check` looks for mistakes,"
    yield "# `oneseat config show` tells what is in force. Lines that begin with # are off."
    yield ""
    yield "[seat]"
    yield "# Whose plan serves a run that asks for nobody else."
    yield f"provider = {toml_literal(choices.seat)}"
    yield ""
    yield from _policy(choices)
    yield ""
    yield from _fallback(choices.other_seat, choices.key)
    yield ""
    yield from _limits(choices)


def _policy(choices: Choices) -> Iterator[str]:
    yield "[policy]"
    yield "# A plan serves the one person who pays for it: with more people here, nothing goes to it."
    yield f"humans = {choices.humans}"
    yield "# Whose machine this is: owner_machine, owner_vps, rented_runner or customer_machine."
    yield f"host = {toml_literal(choices.host)}" if choices.host is not None else '# host = "owner_vps"'
    yield "# Your plan, where the official CLI does not name it: pro, max, ultra, team_seat or ent_seat."
    yield f"plan = {toml_literal(choices.plan)}" if choices.plan is not None else '# plan = "max"'


def _fallback(other_seat: str | None, key: ApiKey | None) -> Iterator[str]:
    yield "[fallback]"
    yield "# Who serves a run when the plan may not or cannot. Without this line a run never leaves its plan."
    names = [name for name in (other_seat, key.name if key is not None else None) if name is not None]
    if names:
        yield f"to = [{', '.join(map(toml_literal, names))}]"
    else:
        yield '# to = ["work"]                # a key of yours: `oneseat key set work --provider anthropic`'
    if key is None:
        return
    yield ""
    yield f"[{dotted(('keys', key.name))}]"
    yield "# The key itself is in no settings file."
    yield f"provider = {toml_literal(key.provider)}"
    for name, comment in _OF_KEYS.items():
        value = getattr(key, name)
        if value != _UNCHOSEN[name]:
            yield f"{name} = {toml_literal(value)}{comment}"


_OF_KEYS = {
    "env": "    # the variable that holds the key",
    "file": "    # the file that holds the key and nothing else, mode 0600",
    "base_url": "",
    "charges": "    # nothing is paid there",
    "credits": "    # draws on the API credits that a plan includes",
    "run_budget_usd": "    # what one run may cost with it,",
    "day_budget_usd": "    # the runs of a day together,",
    "month_budget_usd": "    # and those of a month",
}
_UNCHOSEN = msgspec.structs.asdict(ApiKey(name="", provider="openai"))


def _limits(choices: Choices) -> Iterator[str]:
    yield "[limits]"
    yield "# From which share of a usage window on no run begins that nobody watches, so that the rest is yours."
    pause = choices.pause_at_percent
    yield f"pause_at_percent = {pause}" if pause is not None else "# pause_at_percent = 80"
    yield ""
    yield "[budget]"
    yield "# What all runs of a day may cost together at list price; counted on a plan too."
    day = choices.day_budget_usd
    yield f"day_usd = {toml_literal(day)}" if day is not None else "# day_usd = 20"
    yield ""
    yield "# A project: a directory with its own tools and conversation. `oneseat run --project shop ...`"
    yield "# [projects.shop]"
    yield '# directory = "~/shop"'
    yield '# tools = "read,edit"'
