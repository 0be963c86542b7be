"""No step of the flow can be left out: each takes what only the step before it makes, and only ``rules`` makes or changes it.

``wrong_flows.py`` beside this file leaves out each step in turn; mypy has to reject every one of its calls.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from oneseat.contract.ports import ProviderSession
from oneseat.contract.request import Request
from oneseat.contract.stations import Budgeted, Cleared, Dispatch, Permitted, Refused
from oneseat.rules.billing import gate as billing
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.policy import decide as policy
from oneseat.rules.routing import candidates as routing

from .source import Function, at, dotted, functions, name_of, nodes

STATIONS: tuple[type[msgspec.Struct], ...] = (Permitted, Budgeted, Cleared, Dispatch)
NAMES = {station.__name__ for station in STATIONS}
#: The fields that no other struct has which the product copies with changes.
OWN_FIELDS = {
    "permitted",
    "paid_from",
    "objection",
    "budgeted",
    "reservation",
    "cleared",
    "background",
    "allowance",
}


def makers_of(name: str) -> set[str]:
    """The files of the product that construct ``name``."""
    return {
        name_of(path)
        for path, node in nodes("src")
        if isinstance(node, ast.Call)
        and dotted(node.func).split(".")[-1] == name
        and not name_of(path).startswith("src/oneseat/testing/")
    }


@pytest.mark.parametrize("name", sorted(NAMES))
def test_what_a_station_hands_on_is_made_by_that_station_alone(name: str) -> None:
    makers = makers_of(name)
    assert len(makers) == 1, makers
    assert all(maker.startswith("src/oneseat/rules/") for maker in makers), makers


@pytest.mark.parametrize(
    ("step", "takes", "gives"),
    [
        (policy.decide, Request, Permitted),
        (bounds.reserve, Permitted, Budgeted),
        (billing.clear, Budgeted, Cleared),
        (routing.dispatch, Cleared, Dispatch),
        (ProviderSession.send, Dispatch, None),
    ],
)
def test_each_step_takes_what_the_step_before_it_gives(
    step: Callable[..., Any], takes: type, gives: type | None
) -> None:
    hints = get_type_hints(step)
    assert next(iter(hints.values())) is takes
    returned = set(get_args(hints["return"])) or {hints["return"]}
    assert gives is None or (gives in returned and returned <= {gives, Refused})


def test_nothing_outside_the_rules_changes_what_a_step_has_made() -> None:
    changed = [
        at(path, call)
        for path, function in functions("src")
        if not name_of(path).startswith("src/oneseat/rules/")
        for call in changing_calls(function)
    ]
    assert changed == []


@pytest.mark.parametrize(
    "line",
    [
        "msgspec.structs.replace(permitted, request=request)",
        "msgspec.structs.replace(other.cleared, wallet=wallet)",
        "structs.replace(plan, allowance=allowance)",
        "replace(found, model=model)",
        "copy.replace(found, model=model)",
    ],
)
def test_a_change_is_noticed(line: str) -> None:
    source = f"def change(found: Dispatch | Refused) -> None:\n    return {line}\n"
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert len(list(changing_calls(function))) == 1


def changing_calls(function: Function) -> Iterator[ast.Call]:
    """The calls of ``replace`` on a station: by its name, by the type of the parameter, or by the fields that are changed."""
    stations = set(map(str.lower, NAMES)) | parameters_of_stations(function)
    for call in ast.walk(function):
        if not (isinstance(call, ast.Call) and dotted(call.func).split(".")[-1] == "replace" and call.args):
            continue
        fields = {keyword.arg for keyword in call.keywords}
        if dotted(call.args[0]).split(".")[-1] in stations or fields & OWN_FIELDS:
            yield call


def parameters_of_stations(function: Function) -> set[str]:
    """The parameters whose type is a station, or may be one."""
    return {
        argument.arg
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if argument.annotation is not None
        and NAMES & {node.id for node in ast.walk(argument.annotation) if isinstance(node, ast.Name)}
    }
