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
    yield "# Settings of oneseat, written by `oneseat init`. `oneseat config check` finds mistakes,"
    yield "# `oneseat config show` shows the values in effect. Lines that begin with # are comments."
    yield ""
    yield "[seat]"
    yield "# Plan used by runs that name no provider."
    yield f"provider = {toml_literal(choices.seat)}"
    yield ""
    yield from _policy(choices)
    yield ""
    yield from _fallback(choices.other_seat, choices.key)
    yield ""
    yield from _limits(choices)


def _policy(choices: Choices) -> Iterator[str]:
    yield "[policy]"
    yield "# Number of people who use oneseat here. A plan is for one person; with more, it is not used."
    yield f"humans = {choices.humans}"
    yield "# Whose machine this is: owner_machine, owner_vps, rented_runner or customer_machine."
    yield f"host = {toml_literal(choices.host)}" if choices.host is not None else '# host = "owner_vps"'
    yield "# Your plan, if the official CLI does not report it: pro, max, ultra, team_seat or ent_seat."
    yield f"plan = {toml_literal(choices.plan)}" if choices.plan is not None else '# plan = "max"'


def _fallback(other_seat: str | None, key: ApiKey | None) -> Iterator[str]:
    yield "[fallback]"
    yield "# Used when the plan may not or cannot serve a run. Without this line a run never leaves its plan."
    names = [name for name in (other_seat, key.name if key is not None else None) if name is not None]
    if names:
        yield f"to = [{', '.join(map(toml_literal, names))}]"
    else:
        yield '# to = ["work"]                # an API key: `oneseat key set work --provider anthropic`'
    if key is None:
        return
    yield ""
    yield f"[{dotted(('keys', key.name))}]"
    yield "# The API key itself is not stored in a settings file."
    yield f"provider = {toml_literal(key.provider)}"
    for name, comment in _OF_KEYS.items():
        value = getattr(key, name)
        if value != _UNCHOSEN[name]:
            yield f"{name} = {toml_literal(value)}{comment}"


_OF_KEYS = {
    "env": "    # environment variable that holds the API key",
    "file": "    # file that holds only the API key, mode 0600",
    "base_url": "",
    "charges": "    # requests cost nothing",
    "credits": "    # uses the API credits that a plan includes",
    "run_budget_usd": "    # budget of one run",
    "day_budget_usd": "    # daily budget",
    "month_budget_usd": "    # monthly budget",
}
_UNCHOSEN = msgspec.structs.asdict(ApiKey(name="", provider="openai"))


def _limits(choices: Choices) -> Iterator[str]:
    yield "[limits]"
    yield "# Pause unattended runs when a usage window is this full (percent)."
    pause = choices.pause_at_percent
    yield f"pause_at_percent = {pause}" if pause is not None else "# pause_at_percent = 80"
    yield ""
    yield "[budget]"
    yield "# Daily budget of all runs at list price; also counted on a plan."
    day = choices.day_budget_usd
    yield f"day_usd = {toml_literal(day)}" if day is not None else "# day_usd = 20"
    yield ""
    yield "# A project: a directory with its own tools and conversation. `oneseat run --project shop ...`"
    yield "# [projects.shop]"
    yield '# directory = "~/shop"'
    yield '# tools = "read,edit"'
