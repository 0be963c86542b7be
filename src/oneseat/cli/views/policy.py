"""The policy as text: rules, sections, decisions, differences and confirmations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from oneseat.cli.screen import styled
from oneseat.contract.reports.policy import (
    SECTIONS,
    ConfirmationReport,
    PackDifference,
    PackReport,
    PolicyExplanation,
    PolicyReport,
    RuleReport,
)

from .table import table
from .text import field
from .timefmt import local_time

if TYPE_CHECKING:
    from oneseat.cli.screen import Style

_STATES = {
    "fresh": "fresh",
    "review_due": "due for review",
    "hard_stale": "too old: its GREEN rules do not count",
}
_COLOURS: dict[str, Style] = {"GREEN": "good", "GREY": "doubtful", "RED": "bad"}
_EFFECTS = {"looser": "allows more", "tighter": "allows less", "other": "differs"}
_ACTIONS = {
    "plan": "the plan may serve it",
    "api_or_confirm": "API key, or the plan once you confirm it in writing",
    "api_key": "API key only",
    "refuse": "refused, whoever would pay",
}
_BASIS = {
    "rule": "a rule of the source",
    "inference": "oneseat's cautious reading",
    "own": "oneseat's own caution",
}


def show_text(report: PolicyReport) -> str:
    """The rules, one a line, in the order in which they are asked."""
    meta = report.meta
    order = {"RED": 0, "GREY": 1, "GREEN": 2}
    # The rule for everything that no other rule allows comes last.
    rules = sorted(report.rules, key=lambda rule: (order[rule.tier] if rule.when else 3, rule.priority))
    rows: list[tuple[str, ...]] = [("rule", "tier", "in force", "why")]
    rows += [
        (
            rule.id,
            styled(rule.tier, _COLOURS[rule.tier]),
            "yes" if rule.holds(report.day) else rule.status,
            rule.reason,
        )
        for rule in rules
    ]
    origin = "comes with oneseat" if report.bundled else "installed by you"
    return "\n".join(
        [
            f"pack {meta.pack_version} · {origin} · {_STATES[report.state]}",
            f"  as of {meta.as_of}, review by {meta.review_after}, GREEN rules count until {meta.hard_stale_after}",
            f"  tested with the official CLI {meta.tested_cli_min} to {meta.tested_cli_max}",
            "",
            *table(rows, head=True),
            "",
            f"sections: {', '.join(SECTIONS)}",
        ]
    )


def rule_text(rule: RuleReport, conditions: str) -> str:
    """One rule as a page."""
    lines = [
        f"{rule.id} · {styled(rule.tier, _COLOURS[rule.tier])} · {_ACTIONS[rule.action]}",
        *field("why", rule.reason),
        *field("when", conditions),
        *field("basis", f"{_BASIS[rule.basis]}; confidence {rule.confidence}, read {rule.as_of}"),
    ]
    for source in rule.sources:
        lines += field("source", f"{source.title}\n{source.url} ({source.page_date or 'undated'})")
    return "\n".join(lines)


def section_text(section: Any) -> str:
    """One section: an entry under the other, what is not in force marked."""
    found = msgspec.to_builtins(section)
    entries = (
        found
        if isinstance(found, list | tuple)
        else [{"id": key, "is": value} for key, value in found.items()]
    )
    return "\n".join(line for entry in entries for line in _entry(entry))


def explanation_text(found: PolicyExplanation) -> str:
    """One decision as a page."""
    lines = [
        f"{styled(found.tier, _COLOURS[found.tier])}: {_verdict(found)}",
        *field("rule", f"{found.rule}: {found.reason}"),
        *field("because", ", ".join(f"{name} = {_value(value)}" for name, value in found.because.items())),
        *field("basis", f"{_BASIS[found.basis]}; confidence {found.confidence}, read {found.as_of}"),
    ]
    for source in found.sources:
        lines += field("source", source.url)
    state = _STATES.get(found.pack.state, found.pack.state)
    lines += field("pack", f"{found.pack.version} of {found.pack.as_of}, {state} on {found.day}")
    if found.confirmed is not None:
        lines += field("confirmed", f"{local_time(found.confirmed.at)}: {found.confirmed.text}")
    lines.append("inputs")
    lines += table(
        [
            (f"  {name}", "asked by the billing gate" if name in found.at_the_gate else _value(value))
            for name, value in found.inputs.items()
        ]
    )
    if found.confirm_with is not None:
        lines += ["", f"hint: If your plan may do this, confirm it in writing: `{found.confirm_with}`"]
    return "\n".join(lines)


def update_text(found: Sequence[PackDifference]) -> str:
    """What another pack says otherwise, as a diff."""
    if not found:
        return "same rules and thresholds as the pack in force"
    lines = []
    for difference in found:
        lines.append(f"{difference.what}: {_EFFECTS[difference.effect]}")
        lines += [f"  - {difference.was}"] if difference.was is not None else []
        lines += [f"  + {difference.now}"] if difference.now is not None else []
        lines += [f"  source: {difference.source}"] if difference.source is not None else []
    return "\n".join(lines)


def check_text(report: PackReport) -> str:
    """A pack that can be installed."""
    meta = report.meta
    return f"pack {meta.pack_version} of {meta.as_of} can be installed\n{update_text(report.differences)}"


def confirmations_text(said: Sequence[ConfirmationReport]) -> str:
    """What the owner has confirmed."""
    if not said:
        return "No confirmations"
    lines = []
    for one in said:
        inputs = " ".join(f"{name}={_value(value)}" for name, value in one.because.items())
        of = "".join(
            f", {kind} {name}"
            for kind, name in (("project", one.project), ("client", one.client))
            if name is not None
        )
        state = "counts" if one.counts else "no longer counts: the rule has changed"
        lines += [
            f"{one.id} · {one.rule} {inputs}{of} · {state}",
            f"  {local_time(one.at)}, pack {one.pack}: {one.text}",
        ]
    return "\n".join(lines)


def _verdict(found: PolicyExplanation) -> str:
    if "plan" in found.paid_from:
        return "the plan may serve this"
    if not found.paid_from:
        return "refused"
    return "API key only" if found.tier == "RED" else "uncertain: API key, or the plan once you confirm it"


def _entry(entry: dict[str, Any]) -> Iterator[str]:
    name = next((entry[key] for key in ("id", "kind", "url") if key in entry), "?")
    status = entry.get("status", "active")
    yield f"{name}{'' if status == 'active' else f' ({status})'}"
    for key, value in entry.items():
        if key not in {"id", "status"} and value not in (None, [], (), {}, name):
            yield from field(key.replace("_", " ")[:11], _plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _value(value: Any) -> str:
    return "unknown" if value is None else str(value)
