"""Requests and inputs that every rule of the bundled pack can be asked with."""

from __future__ import annotations

from typing import Any

import msgspec

from oneseat.contract.policy import PolicyInputs
from oneseat.contract.policy_pack import Confirmation, Pack, Rule
from oneseat.contract.request import Purpose, Request
from oneseat.rules.policy.decide import PolicyView
from oneseat.rules.policy.inputs import PolicyEnvironment, inputs_of
from oneseat.stores.policy.pack import bundled_pack

DAY = "2026-11-21"


def view(pack: Pack | None = None, day: str = DAY, **fields: Any) -> PolicyView:
    """The bundled rules on a day of their first weeks."""
    return PolicyView(pack=pack or bundled_pack(), day=day, **fields)


def request(purpose: Purpose | None = None, **fields: Any) -> Request:
    return Request(prompt="hi", cwd="/", purpose=purpose or Purpose(), **fields)


def own(**changed: Any) -> PolicyInputs:
    """The owner's own request on a Max plan, as the gate knows it, with some inputs changed."""
    known = inputs_of(request(), PolicyEnvironment(), bundled_pack(), DAY)
    return msgspec.structs.replace(known, **{"plan": "max", **changed})


def rule(name: str, pack: Pack | None = None) -> Rule:
    return next(each for each in (pack or bundled_pack()).rules if each.id == name)


def with_rules(*rules: Rule, pack: Pack | None = None) -> Pack:
    """The pack with these rules in place of those of the same ids."""
    before = pack or bundled_pack()
    ids = {each.id for each in rules}
    kept = tuple(each for each in before.rules if each.id not in ids)
    return msgspec.structs.replace(before, rules=(*kept, *rules))


def word(name: str, because: dict[Any, Any], pack: Pack | None = None, **fields: Any) -> Confirmation:
    """What the owner has said of a rule."""
    return Confirmation(
        **{
            "id": "c1",
            "rule": rule(name, pack),
            "because": because,
            "text": "I am sure of it",
            "at": "2026-11-21T10:00:00.000Z",
            "pack": "2026.11.20",
            **fields,
        }
    )
