"""The policy as text and as JSON: rules, sections, decisions, differences and confirmations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap
from typing import Any

import msgspec

from oneseat.app.policy import (
    Difference,
    Explanation,
    Lawbook,
    Pack,
    Rule,
    Sections,
    age,
    in_words,
    pack_state,
)

from .log_command import table

_WIDTH = 100
_STATES = {
    "fresh": "fresh",
    "review_due": "to be reviewed",
    "hard_stale": "too old: no GREEN of it counts",
}
_EFFECTS = {"looser": "allows more", "tighter": "allows less", "other": "otherwise"}
#: What `oneseat policy show` prints by its name.
SECTIONS: dict[str, Callable[[Pack, Sections], Any]] = {
    "rules": lambda pack, _: pack.rules,
    "plans": lambda _, rest: rest.plans,
    "facts": lambda _, rest: rest.facts,
    "windows": lambda _, rest: rest.windows,
    "routes": lambda pack, _: pack.billing_routes,
    "prices": lambda _, rest: rest.prices,
    "thresholds": lambda pack, _: pack.thresholds,
    "precedence": lambda _, rest: rest.auth_precedence,
    "variables": lambda _, rest: rest.env_policy,
    "signals": lambda _, rest: rest.signals,
    "errors": lambda _, rest: rest.error_patterns,
    "sources": lambda _, rest: rest.sources,
    "watch": lambda _, rest: rest.watch,
}


def show_fields(book: Lawbook, sections: Sections, day: str) -> dict[str, Any]:
    """Everything that is in force."""
    pack = book.pack
    return {
        "meta": pack.meta,
        "bundled": book.bundled,
        "day": day,
        "state": pack_state(pack, day),
        "installed": book.word.installed,
        **{name: section(pack, sections) for name, section in SECTIONS.items()},
    }


def show_text(book: Lawbook, day: str) -> str:
    """The rules, one a line, in the order they are asked."""
    pack, meta = book.pack, book.pack.meta
    order = {"RED": 0, "GREY": 1, "GREEN": 2}
    # What nobody allows comes after what somebody might.
    rules = sorted(pack.rules, key=lambda rule: (order[rule.tier] if rule.when else 3, rule.priority))
    rows = [("rule", "tier", "in force", "why"), *(_row(rule, day) for rule in rules)]
    old = age(pack, pack_state(pack, day))
    whence = "comes with oneseat" if book.bundled else "installed by you"
    return "\n".join(
        [
            f"pack {meta.pack_version} · {whence} · {_STATES[pack_state(pack, day)]}",
            f"  as of {meta.as_of}, to be reviewed by {meta.review_after}, trusted with a yes until {meta.hard_stale_after}",
            f"  tried with the official CLI {meta.tested_cli_min} to {meta.tested_cli_max}",
            *([f"  warning: {old}"] if old is not None else []),
            "",
            table(rows),
            "",
            f"sections: {', '.join(SECTIONS)}",
        ]
    )


def _row(rule: Rule, day: str) -> tuple[str, ...]:
    return rule.id, rule.tier, "yes" if rule.holds(day) else rule.status, rule.reason


def rule_fields(rule: Rule, sections: Sections) -> dict[str, Any]:
    """One rule with its sources."""
    fields: dict[str, Any] = msgspec.to_builtins(rule)
    fields["sources"] = [each for each in sections.sources if each.id in rule.source_ids]
    return fields


def rule_text(rule: Rule, sections: Sections) -> str:
    """One rule, as a page."""
    lines = [
        f"{rule.id} · {rule.tier} · {_action(rule)}",
        *_field("why", rule.reason),
        *_field("when", in_words(rule)),
        *_field("basis", f"{_basis(rule)}; confidence {rule.confidence}, read {rule.as_of}"),
    ]
    for source in sections.sources:
        if source.id in rule.source_ids:
            lines += _field(
                "source", f"{source.title}\n{source.url} ({source.page_date or 'no date of its own'})"
            )
    return "\n".join(lines)


def section_text(name: str, pack: Pack, sections: Sections) -> str:
    """One section: an entry under the other, what is not in force marked."""
    found = msgspec.to_builtins(SECTIONS[name](pack, sections))
    entries = (
        found
        if isinstance(found, list | tuple)
        else [{"id": key, "is": value} for key, value in found.items()]
    )
    return "\n".join(line for entry in entries for line in _entry(entry))


def explanation_fields(found: Explanation) -> dict[str, Any]:
    """One decision, exactly."""
    rule, meta = found.decision.rule, found.pack.meta
    return {
        "tier": rule.tier,
        "rule": rule.id,
        "action": rule.action,
        "reason": rule.reason,
        "basis": rule.basis,
        "confidence": rule.confidence,
        "as_of": rule.as_of,
        "paid_from": sorted(found.decision.paid_from),
        "because": found.decision.because,
        "inputs": found.decision.inputs.named(),
        "at_the_gate": found.later,
        "sources": found.sources,
        "pack": {
            "version": meta.pack_version,
            "as_of": meta.as_of,
            "state": pack_state(found.pack, found.day),
        },
        "day": found.day,
        "confirmed": found.decision.confirmed,
        "confirm_with": found.confirm_with,
    }


def explanation_text(found: Explanation) -> str:
    """One decision, as a page."""
    decision, meta = found.decision, found.pack.meta
    rule = decision.rule
    lines = [
        f"{rule.tier}: {_verdict(found)}",
        *_field("rule", f"{rule.id}: {rule.reason}"),
        *_field("because", ", ".join(f"{name} = {_said(value)}" for name, value in decision.because.items())),
        *_field("basis", f"{_basis(rule)}; confidence {rule.confidence}, read {rule.as_of}"),
    ]
    for source in found.sources:
        lines += _field("source", source.url)
    state = _STATES[pack_state(found.pack, found.day)]
    lines += _field("pack", f"{meta.pack_version} of {meta.as_of}, {state} on {found.day}")
    if decision.confirmed is not None:
        lines += _field("confirmed", f"{decision.confirmed.at}: {decision.confirmed.text}")
    lines.append("inputs")
    rows: list[tuple[str, ...]] = [
        (f"  {name}", "asked for at the gate" if name in found.later else _said(value))
        for name, value in decision.inputs.named().items()
    ]
    lines.append(table(rows))
    if found.confirm_with is not None:
        lines += ["", f"hint: If you are certain, confirm such work in writing: `{found.confirm_with}`"]
    return "\n".join(lines)


def differences_fields(found: Sequence[Difference]) -> list[dict[str, Any]]:
    """What another pack says otherwise."""
    return [difference._asdict() for difference in found]


def update_text(found: Sequence[Difference]) -> str:
    """What another pack says otherwise, as a diff."""
    if not found:
        return "no rule and no threshold differs from the pack in force"
    lines = []
    for difference in found:
        lines.append(f"{difference.what}: {_EFFECTS[difference.effect]}")
        lines += [f"  - {difference.was}"] if difference.was is not None else []
        lines += [f"  + {difference.now}"] if difference.now is not None else []
        lines += [f"  source: {difference.source}"] if difference.source is not None else []
    return "\n".join(lines)


def check_text(pack: Pack, found: Sequence[Difference]) -> str:
    """A pack that can be installed."""
    meta = pack.meta
    return f"pack {meta.pack_version} of {meta.as_of} can be installed: {len(pack.rules)} rules\n{update_text(found)}"


def confirmations_text(said: Sequence[dict[str, Any]]) -> str:
    """What the owner has confirmed."""
    if not said:
        return "Nothing is confirmed"
    lines = []
    for one in said:
        inputs = " ".join(f"{name}={_said(value)}" for name, value in one["because"].items())
        of = "".join(f", {kind} {one[kind]}" for kind in ("project", "client") if one[kind] is not None)
        state = "counts" if one["counts"] else "counts no more: the rule has changed"
        lines += [
            f"{one['id']} · {one['rule']} {inputs}{of} · {state}",
            f"  {one['at']}, pack {one['pack']}: {one['text']}",
        ]
    return "\n".join(lines)


def _verdict(found: Explanation) -> str:
    decision = found.decision
    if "plan" in decision.paid_from:
        return "the plan may serve this"
    if not decision.paid_from:
        return "nothing of this is done"
    return (
        "not on the plan; by key"
        if decision.rule.tier == "RED"
        else "not certain; by key, or once you confirm it"
    )


def _action(rule: Rule) -> str:
    return {
        "plan": "the plan may serve it",
        "api_or_confirm": "by key, or on the plan once confirmed in writing",
        "api_key": "by key only",
        "refuse": "refused, whatever would pay",
    }[rule.action]


def _basis(rule: Rule) -> str:
    return {
        "rule": "a rule of the source",
        "inference": "oneseat's cautious reading",
        "own": "oneseat's own caution",
    }[rule.basis]


def _field(name: str, text: str) -> list[str]:
    lines = [
        piece
        for line in text.splitlines()
        for piece in wrap(line, _WIDTH - 14, break_on_hyphens=False, break_long_words=False)
    ]
    return [f"  {name if i == 0 else '':<12}{line}" for i, line in enumerate(lines)]


def _entry(entry: dict[str, Any]) -> Iterator[str]:
    name = next((entry[key] for key in ("id", "kind", "url") if key in entry), "?")
    status = entry.get("status", "active")
    yield f"{name}{'' if status == 'active' else f' ({status})'}"
    for key, value in entry.items():
        if key not in {"id", "status"} and value not in (None, [], (), {}, name):
            yield from _field(key.replace("_", " ")[:11], _plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _said(value: Any) -> str:
    return "unknown" if value is None else str(value)
