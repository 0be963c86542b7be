"""The questions of a first set-up. Each has a default, and an answer that does not fit is asked for again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar, get_args

import click

from oneseat.app import Installation
from oneseat.app.keys import keyring_problem, new_key
from oneseat.app.setup import HOSTS, PLANS, Choices, Prepared, usual_host
from oneseat.cli.output import echo
from oneseat.contract.errors import UsageError
from oneseat.contract.keys import ApiKey
from oneseat.contract.providers import KeyProvider

#: The options of the command by their names; ``None`` where one was not given.
Chosen: TypeAlias = Mapping[str, Any]
T = TypeVar("T")

#: What a key may cost in US dollars when nobody says otherwise: a run, a day, a month.
BUDGETS = {"run_budget_usd": 1.0, "day_budget_usd": 5.0, "month_budget_usd": 50.0}
_SPANS = {"run_budget_usd": "one run", "day_budget_usd": "a day", "month_budget_usd": "a month"}


def key_settings(chosen: Chosen) -> dict[str, Any]:
    """The settings of the key that the options describe, with the usual budgets."""
    free = chosen["free"] is True
    given = {name: chosen[name.removesuffix("_usd")] for name in BUDGETS}
    budgets = given if free else _with_usual(given)
    return {
        "provider": chosen["key"],
        "env": chosen["key_env"],
        "file": chosen["key_file"],
        "base_url": chosen["base_url"],
        "credits": chosen["credits"],
        "charges": False if free else None,
        **budgets,
    }


def _with_usual(given: Mapping[str, float | None]) -> dict[str, float | None]:
    """The usual budgets where none is given, but never more than a longer time may cost, nor less than a shorter one."""
    budgets = dict(given)
    for span, usual in BUDGETS.items():
        if budgets[span] is None:
            names = list(budgets)
            here = names.index(span)
            longer = [amount for name in names[here:] if (amount := given[name] or 0) > 0]
            shorter = [amount for name in names[:here] if (amount := given[name] or 0) > 0]
            budgets[span] = max([min([usual, *longer]), *shorter])
    return budgets


def ask(chosen: Chosen, ready: Mapping[str, bool | None], *, plan_is_known: bool) -> Choices:
    """What the person decides; the options are the defaults. Raises ``click.Abort`` on Ctrl-C.

    ``ready`` says of each seat whether its plan would pay; ``None`` where its CLI is not installed.
    """
    echo("\nEnter takes the value in brackets. Ctrl-C changes nothing.\n")
    humans = click.prompt(
        "How many people use oneseat here", type=click.IntRange(1, 1000), default=chosen["humans"] or 1
    )
    if humans > 1:
        echo("  a plan is for one person: all runs will use an API key")
    host = click.prompt(
        "Whose machine is this",
        type=click.Choice(HOSTS),
        default=chosen["host"] or usual_host(Installation()),
    )
    plan = chosen["plan"] if plan_is_known else _plan(chosen["plan"])
    seat, other = _seats(chosen, ready)
    question = "Pause unattended runs when a usage window is this full (percent, 0: never)"
    pause = click.prompt(question, type=click.IntRange(0, 100), default=chosen["pause_at"] or 0)
    question = "May a run use a paid API key when your plan cannot serve it?"
    wanted = click.confirm(question, default=chosen["key"] is not None or humans > 1)
    return Choices(
        humans=humans,
        host=said_host(host),
        plan=plan,
        seat=seat,
        other_seat=other,
        key=_key(chosen) if wanted else None,
        pause_at_percent=pause or None,
    )


def said_host(host: str | None) -> str | None:
    """The host as the settings have to say it: not where it is what oneseat finds by itself."""
    return None if host == usual_host(Installation()) else host


def _plan(chosen: str | None) -> str | None:
    question = "Your plan (the official CLI does not name it)"
    plan = click.prompt(question, type=click.Choice((*PLANS, "unknown")), default=chosen or "unknown")
    return None if plan == "unknown" else str(plan)


def usual_seat(chosen: Chosen, ready: Mapping[str, bool | None]) -> str:
    """The seat that was chosen, or the first that is ready, or the first."""
    first = next((seat for seat, is_ready in ready.items() if is_ready), next(iter(ready)))
    return chosen["seat"] or first


def _seats(chosen: Chosen, ready: Mapping[str, bool | None]) -> tuple[str, str | None]:
    there = [seat for seat, is_ready in ready.items() if is_ready is not None]
    usual = usual_seat(chosen, ready)
    if len(there) < 2:
        return usual, None
    seat = click.prompt("Which plan serves a run by default", type=click.Choice(there), default=usual)
    (other,) = (name for name in there if name != seat)
    goes_on = ready[other] and click.confirm(
        f"May a run use {other} when that plan cannot serve it?", default=False
    )
    return seat, other if goes_on else None


def key_value(prepared: Prepared, key: ApiKey | None) -> str | None:
    """The key itself, typed without being shown; ``None`` when it is to be given later or is not oneseat's to keep."""
    if key is None or key.env is not None or not key.needed:
        return None
    while True:
        question = "The key itself (not shown; Enter to add it later)"
        value = str(click.prompt(question, hide_input=True, default="", show_default=False)).strip()
        fault = prepared.fault(value) if value else None
        if fault is None:
            return value or None
        echo(f"  {fault.message}")


def _key(chosen: Chosen) -> ApiKey:
    provider = click.prompt(
        "Whose API", type=click.Choice(get_args(KeyProvider)), default=chosen["key"] or "anthropic"
    )
    name = _again(
        lambda: new_key(_text("A name for the key", chosen["key_name"] or provider), _NAMELESS).name
    )
    settings = key_settings({**chosen, "key": provider})
    if provider == "openai-compatible":
        settings |= _address(name, settings)
    if settings["charges"] is not False:
        settings |= _place(name, settings)
    if provider == "anthropic":
        question = "Does it use API credits that your plan includes?"
        settings["credits"] = click.confirm(question, default=bool(chosen["credits"])) or None
    if settings["charges"] is not False:
        settings |= _budgets(settings)
    return new_key(name, settings)


#: A key that lacks nothing, to try a name with.
_NAMELESS = {"provider": "anthropic"}


def _address(name: str, settings: Chosen) -> dict[str, Any]:
    def address() -> ApiKey:
        url = _text("Its address", settings["base_url"] or "http://127.0.0.1:11434/v1")
        return new_key(name, {"provider": "openai-compatible", "base_url": url})

    url = _again(address).base_url
    on_this_machine = str(url).startswith("http:")
    free = not click.confirm("Does this address charge anything?", default=not on_this_machine)
    return {"base_url": url} | ({"charges": False, **dict.fromkeys(BUDGETS)} if free else {})


def _place(name: str, settings: Chosen) -> dict[str, Any]:
    problem = keyring_problem(Installation()) if not (settings["env"] or settings["file"]) else None
    if problem is not None:
        echo(f"  {problem.message.partition(chr(10))[2].strip().partition(';')[0]}")
    default = (
        "variable" if settings["env"] or problem is not None else "file" if settings["file"] else "keyring"
    )
    places = click.Choice(("keyring", "variable", "file"))
    match click.prompt("Where is the key", type=places, default=default):
        case "variable":
            provider = str(settings["provider"]).upper().replace("-", "_")
            return _named_place(name, "env", "The variable", settings["env"] or f"MY_{provider}_KEY")
        case "file":
            return _named_place(name, "file", "The file", settings["file"] or f"~/.oneseat-key-{name}")
        case _:
            return {"env": None, "file": None}


def _named_place(name: str, option: str, question: str, default: str) -> dict[str, Any]:
    key = _again(lambda: new_key(name, {**_NAMELESS, option: _text(question, default)}))
    return {"env": key.env, "file": key.file}


def _budgets(settings: Chosen) -> dict[str, Any]:
    while True:
        amounts = {option: _amount(option, span, settings[option]) for option, span in _SPANS.items()}
        if list(amounts.values()) == sorted(amounts.values()):
            return amounts
        echo("  the budget of a shorter time must not be larger")


def _amount(option: str, span: str, default: float) -> Any:
    def amount() -> Any:
        given = click.prompt(f"Budget of {span} with it, in US dollars", type=float, default=default)
        return getattr(new_key("budget", {**_NAMELESS, option: given}), option)

    return _again(amount)


def _text(question: str, default: str) -> str:
    return str(click.prompt(question, default=default)).strip()


def _again(work: Callable[[], T]) -> T:
    """What ``work`` asks for, once it fits."""
    while True:
        try:
            return work()
        except UsageError as error:
            echo("  " + error.info.message)
