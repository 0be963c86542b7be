"""Validates a policy pack and compares it with another one.

No pack, even a confirmed one, may allow a request of another person, a public entry point, or a shared login.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, cast, get_args, get_type_hints

import jsonschema
import msgspec

from oneseat.contract.policy import InputName, PolicyInputs, TokenHandling
from oneseat.contract.policy_catalogue import Sections
from oneseat.contract.policy_pack import Condition, Pack, Rule
from oneseat.contract.reports.policy import PackDifference, PackEffect

from .decide import holds
from .inputs import AT_THE_GATE, draws_from
from .messages import source_of

#: Every GREEN rule must require at least these conditions.
FLOOR: dict[InputName, frozenset[str] | int] = {
    "request_author": frozenset({"owner", "owner_automation"}),
    "output_consumer": frozenset({"owner", "owner_publishes"}),
    "distinct_humans": 1,
    "exposure": frozenset({"none_stdio", "unix_socket", "loopback"}),
    "token_handling": frozenset({"native_login", "env_setup_token_by_owner"}),
    "harness": frozenset({"official_cli_unmodified", "official_sdk_with_cli", "official_action"}),
    "endpoint_override": frozenset({"none"}),
    "account_use": frozenset({"own"}),
    "account_state": frozenset({"in_order"}),
    "pack_state": frozenset({"fresh", "review_due"}),
    "draws_from": frozenset({"plan_limits"}),
    "auth_methods": frozenset({"all_kept"}),
    "sign_in": frozenset({"vendors"}),
    "overage_state": frozenset({"off", "on", "stopped_when_seen"}),
}
_NUMBERS = frozenset({"distinct_humans", "accounts_in_use"})
_ACTIONS = {
    "GREEN": {"plan"},
    "GREY": {"api_or_confirm"},
    "RED": {"api_key", "refuse"},
}


def schema_errors(value: object, schema: bytes) -> list[str]:
    """The schema errors of a decoded pack; empty when it is valid."""
    validator = jsonschema.Draft202012Validator(msgspec.json.decode(schema))
    errors = sorted(
        validator.iter_errors(cast("Any", value)), key=lambda it: list(map(str, it.absolute_path))
    )
    return [f"{'/'.join(map(str, it.absolute_path)) or 'the whole'}: {it.message[:200]}" for it in errors]


def pack_errors(pack: Pack, sections: Sections, today: str) -> list[str]:
    """Why a well-formed pack cannot be used; empty when it can. ``today`` is ISO 8601."""
    return [
        *_about_dates(pack, today),
        *_about_ids(pack, sections),
        *(line for rule in pack.rules for line in _about_rule(rule)),
        *_about_tiers(pack.rules),
    ]


def differences(old: Pack, new: Pack) -> list[PackDifference]:
    """The differences of a new pack, looser ones first."""
    found = [*_of_rules(old, new), *_of_thresholds(old, new), *_of_age(old, new), *_of_routes(old, new)]
    order = {"looser": 0, "tighter": 1, "other": 2}
    return sorted(found, key=lambda difference: order[difference.effect])


def confirmation_error(rule: Rule, because: Mapping[InputName, str | int | None]) -> str | None:
    """Why a class of work cannot be confirmed for a rule; ``None`` when it can.

    A class names exactly the inputs that make the rule GREY: a broader confirmation could cover anything.
    """
    if rule.tier != "GREY" and set(because) != {"account_state"}:
        return f"rule {rule.id} is {rule.tier}, and only what is GREY can be confirmed"
    if not because:
        return "it names no input that the rule doubts"
    if not rule.when:
        return None
    for group in rule.when:
        telling = [it for it in group if it.field not in AT_THE_GATE] or list(group)
        if {it.field for it in telling} == set(because) and all(_is_so(it, because) for it in telling):
            return None
    return f"rule {rule.id} does not doubt that; it asks for {describe_rule(rule)}"


def describe_rule(rule: Rule) -> str:
    """The conditions of a rule, as text."""
    if not rule.when:
        return "everything that no other rule allows"
    return "; or ".join(" and ".join(map(_condition, group)) for group in rule.when)


def vocabulary(field: InputName) -> tuple[str, ...] | None:
    """The permitted values of an input; ``None`` for a number."""
    return None if field in _NUMBERS else get_args(get_type_hints(PolicyInputs)[field])


def _condition(condition: Condition) -> str:
    value = condition.value
    shown = ", ".join(value) if isinstance(value, tuple) else str(value)
    return f"{condition.field} {condition.op.replace('_', ' ')} {shown}"


def _about_dates(pack: Pack, today: str) -> Iterator[str]:
    meta = pack.meta
    if not meta.as_of <= meta.review_after <= meta.hard_stale_after:
        yield "meta: `as_of`, `review_after` and `hard_stale_after` must be in this order"
    if meta.as_of > today:
        yield f"meta: `as_of` is in the future: {meta.as_of}"


def _about_ids(pack: Pack, sections: Sections) -> Iterator[str]:
    lists: dict[str, Iterable[Any]] = {
        "sources": sections.sources,
        "facts": sections.facts,
        "plans": sections.plans,
        "billing_routes": pack.billing_routes,
        "rules": pack.rules,
        "signals": sections.signals,
        "error_patterns": sections.error_patterns,
        "prices": sections.prices,
        "auth_precedence": sections.auth_precedence,
    }
    for name, entries in lists.items():
        ids = [entry.id for entry in entries]
        yield from (f"{name}: `{one}` appears twice" for one in sorted({i for i in ids if ids.count(i) > 1}))
    known = {source.id for source in sections.sources}
    cited: list[Any] = [
        *sections.plans,
        *pack.billing_routes,
        *pack.rules,
        *sections.facts,
        *sections.windows,
    ]
    cited += [*sections.error_patterns, *sections.prices, *sections.signals, *sections.auth_precedence]
    for missing in sorted({one for entry in cited for one in entry.source_ids} - known):
        yield f"sources: there is no `{missing}`"
    windows = {window.kind for window in sections.windows}
    for plan in sections.plans:
        yield from (
            f"plans: `{plan.id}` has no such window: `{one}`" for one in plan.windows if one not in windows
        )


def _about_rule(rule: Rule) -> Iterator[str]:
    if rule.action not in _ACTIONS[rule.tier]:
        yield f"rules: `{rule.id}` is {rule.tier} and cannot have the action `{rule.action}`"
    for condition in (condition for group in rule.when for condition in group):
        if not _fits(condition):
            yield f"rules: `{rule.id}` compares `{_condition(condition)}`, which is never true"
    if any(not group for group in rule.when):
        yield f"rules: `{rule.id}` has a group without conditions"
    if rule.tier == "GREEN":
        yield from _about_green(rule)


def _is_so(condition: Condition, because: Mapping[InputName, str | int | None]) -> bool:
    stated: dict[str, Any] = {str(name): value for name, value in because.items()}
    return holds(condition, msgspec.structs.replace(PolicyInputs(), **stated))


def _fits(condition: Condition) -> bool:
    words = vocabulary(condition.field)
    if words is None:
        return condition.op in {"more_than", "at_most"} and isinstance(condition.value, int)
    if condition.op == "is":
        return condition.value in words
    return condition.op == "in" and isinstance(condition.value, tuple) and set(condition.value) <= set(words)


def _about_green(rule: Rule) -> Iterator[str]:
    if len(rule.when) != 1:
        yield f"rules: `{rule.id}` is GREEN and needs exactly one group of conditions"
        return
    asked = {condition.field: condition for condition in rule.when[0]}
    for field in PolicyInputs.__struct_fields__:
        condition = asked.get(field)  # type: ignore[call-overload]
        if condition is None:
            yield f"rules: `{rule.id}` is GREEN and does not ask for `{field}`, which may be unknown"
        elif "unknown" in _words(condition):
            yield f"rules: `{rule.id}` is GREEN when `{field}` is unknown"
        elif field in FLOOR and not _within(condition, FLOOR[field]):
            yield f"rules: `{rule.id}` is GREEN for more than any pack may allow: `{_condition(condition)}`"


def _words(condition: Condition) -> frozenset[str]:
    value = condition.value
    return frozenset(value if isinstance(value, tuple) else (str(value),))


def _within(condition: Condition, floor: frozenset[str] | int) -> bool:
    if isinstance(floor, int):
        return condition.op == "at_most" and isinstance(condition.value, int) and condition.value <= floor
    return _words(condition) <= floor


def _about_tiers(rules: Sequence[Rule]) -> Iterator[str]:
    rest = [rule for rule in rules if not rule.when]
    if len(rest) != 1 or rest[0].tier != "GREY" or not _for_ever(rest[0]):
        yield "rules: exactly one rule without conditions is needed: GREY, permanent, for what no other rule allows"
    if not any(rule.tier == "GREEN" for rule in rules):
        yield "rules: none is GREEN"


def _for_ever(rule: Rule) -> bool:
    return rule.status == "active" and rule.effective_from is None and rule.effective_to is None


def _of_rules(old: Pack, new: Pack) -> Iterator[PackDifference]:
    before, after = ({rule.id: rule for rule in pack.rules} for pack in (old, new))
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        loosened = (was is not None and not _still_no(was, new.rules)) or (
            now is not None and not _was_yes(now, old.rules)
        )
        tightened = (now is not None and not _still_no(now, old.rules)) or (
            was is not None and not _was_yes(was, new.rules)
        )
        effect: PackEffect = "looser" if loosened else "tighter" if tightened else "other"
        source = source_of(now, new) if now is not None else source_of(was, old) if was is not None else None
        yield PackDifference(f"rule {name}", effect, _shown(was), _shown(now), source)


def _shown(rule: Rule | None) -> str | None:
    if rule is None:
        return None
    period = (
        ""
        if _for_ever(rule)
        else f" ({rule.status}, {rule.effective_from or '...'} to {rule.effective_to or '...'})"
    )
    return f"{rule.tier}, {rule.action}{period}: {describe_rule(rule)}"


def _still_no(rule: Rule, others: Sequence[Rule]) -> bool:
    """Whether the other rules forbid everything that this rule forbids, at least as strictly."""
    if rule.tier == "GREEN" or rule.status != "active":
        return True
    return all(any(_forbids(other, rule, group) for other in others) for group in rule.when)


def _forbids(other: Rule, rule: Rule, group: Sequence[Condition]) -> bool:
    strict = other.tier == "RED" if rule.tier == "RED" else other.tier in {"RED", "GREY"}
    if rule.action == "refuse":
        strict = strict and other.action == "refuse"
    return strict and _lasts(other, rule) and any(_wider(it, group) for it in other.when)


def _was_yes(rule: Rule, others: Sequence[Rule]) -> bool:
    """Whether the other rules allowed everything that this rule allows."""
    if rule.tier != "GREEN" or rule.status != "active":
        return True
    return any(
        other.tier == "GREEN" and _lasts(other, rule) and _wider(it, rule.when[0])
        for other in others
        for it in other.when
    )


def _lasts(other: Rule, rule: Rule) -> bool:
    """Whether one rule is in force whenever the other is."""
    begins = other.effective_from is None or (
        rule.effective_from is not None and other.effective_from <= rule.effective_from
    )
    ends = other.effective_to is None or (
        rule.effective_to is not None and rule.effective_to <= other.effective_to
    )
    return other.status == "active" and begins and ends


def _wider(wide: Sequence[Condition], narrow: Sequence[Condition]) -> bool:
    """Whether one group of conditions holds wherever the other does."""
    return all(any(_implies(it, condition) for it in narrow) for condition in wide)


def _implies(one: Condition, other: Condition) -> bool:
    if one.field != other.field:
        return False
    if isinstance(one.value, int) or isinstance(other.value, int):
        if one.op != other.op or not isinstance(one.value, int) or not isinstance(other.value, int):
            return False
        return one.value >= other.value if one.op == "more_than" else one.value <= other.value
    return _words(one) <= _words(other)


def _of_thresholds(old: Pack, new: Pack) -> Iterator[PackDifference]:
    for name in new.thresholds.__struct_fields__:
        was, now = getattr(old.thresholds, name).value, getattr(new.thresholds, name).value
        # For the minimum gap it is the other way round: longer is stricter.
        loosened = now < was if name == "min_gap_s" else now > was
        if was != now:
            yield PackDifference(
                f"threshold {name}", "looser" if loosened else "tighter", str(was), str(now), None
            )


def _of_age(old: Pack, new: Pack) -> Iterator[PackDifference]:
    was, now = _days(old), _days(new)
    if was != now:
        effect: PackEffect = "looser" if now > was else "tighter"
        yield PackDifference("days until the pack is too old", effect, str(was), str(now), None)


def _days(pack: Pack) -> int:
    meta = pack.meta
    return (date.fromisoformat(meta.hard_stale_after) - date.fromisoformat(meta.as_of)).days


def _of_routes(old: Pack, new: Pack) -> Iterator[PackDifference]:
    day = new.meta.as_of
    for was, now in zip(_paid(old, day), _paid(new, day), strict=True):
        if was != now:
            effect: PackEffect = "looser" if now.endswith("plan_limits") else "tighter"
            yield PackDifference("what headless runs are paid from", effect, was, now, None)
    names = [_plan_names(pack) for pack in (old, new)]
    for name, plan in sorted(names[1] - names[0]):
        yield PackDifference("name of a plan", "looser", None, f"{name}: {plan}", None)


def _paid(pack: Pack, day: str) -> list[str]:
    tokens: tuple[TokenHandling, ...] = ("native_login", "env_setup_token_by_owner")
    return [f"{token}: {draws_from(pack, day, token)}" for token in tokens]


def _plan_names(pack: Pack) -> set[tuple[str, str]]:
    plans: list[dict[str, Any]] = msgspec.json.decode(pack.plans)
    return {(name, plan["id"]) for plan in plans for name in plan["names"]}
