"""Rows of the ledger as types. A row that no oneseat wrote so is named by its column, and stops no report."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from oneseat.contract.history import RunSummary, StoredEvent
from oneseat.contract.receipt import RunResult, cost_or_none

SUMMARY = ", ".join(RunSummary.__struct_fields__)
#: The type of an event whose text is not JSON.
DAMAGED = "damaged"
_TIMES = frozenset({"created_at", "ended_at"})
_MONEY = frozenset({"cost_usd", "equivalent_cost_usd"})
#: Shown in place of a value that cannot be of the type, where that type has no ``None``.
_INSTEAD = {int: 0, str: ""}
_SHOWN = 60


def summary(row: Any) -> tuple[RunSummary, tuple[str, ...]]:
    """A row of ``SUMMARY``, and what is damaged in it; what cannot be shown is unknown."""
    values: dict[str, Any] = {}
    damaged = []
    for field, value in zip(msgspec.structs.fields(RunSummary), row, strict=True):
        values[field.name] = cost_or_none(value) if field.name in _MONEY and _is_number(value) else value
        why = _objection(field, values[field.name])
        if why is not None:
            damaged.append(f"{field.name}: {why}")
            values[field.name] = _instead(field, value)
    return RunSummary(**values), tuple(damaged)


def result(json: Any, text: str) -> tuple[RunResult | None, tuple[str, ...]]:
    """A stored result with its text, and what is damaged in it. ``json`` is ``None`` while the run goes on."""
    if json is None:
        return None, ()
    try:
        return msgspec.structs.replace(msgspec.json.decode(json, type=RunResult), text=text), ()
    except (msgspec.DecodeError, TypeError) as error:
        return None, (f"result: {error}",)


def policy_inputs(json: Any) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """What the policy decided on, and what is damaged in it."""
    if json is None:
        return None, ()
    try:
        return msgspec.json.decode(json, type=dict[str, Any]), ()
    except (msgspec.DecodeError, TypeError) as error:
        return None, (f"policy_inputs: {error}",)


def event(seq: Any, at: Any, json: Any) -> StoredEvent:
    """A stored event; one that cannot be read is of the type ``damaged`` and holds its text."""
    try:
        fields = msgspec.json.decode(json, type=dict[str, Any])
    except (msgspec.DecodeError, TypeError):
        fields = {"type": DAMAGED, "raw": _text(json)}
    return StoredEvent(seq=seq, at=_text(at), event=fields)


def _objection(field: msgspec.structs.FieldInfo, value: Any) -> str | None:
    try:
        msgspec.convert(value, field.type)
        if field.name in _TIMES and value is not None:
            datetime.fromisoformat(value)
    except (msgspec.ValidationError, ValueError) as error:
        return f"{error}: `{_text(value)[:_SHOWN]}`"
    return None


def _instead(field: msgspec.structs.FieldInfo, value: Any) -> Any:
    if field.name == "status":
        return "failed"
    if field.name == "created_at":
        return _text(value)  # a list is in its order, and a person may recognise it
    return _INSTEAD.get(field.type)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
