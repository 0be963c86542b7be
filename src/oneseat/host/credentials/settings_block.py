"""Finds the names that decide who pays in a settings object: its `env` block and a few settings of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from oneseat.contract.billing_names import BILLING_SETTINGS, BillingName, billing_name
from oneseat.contract.facts import CredentialSource, Scope

#: What the CLI takes for "no" in the value of a switch, measured with CLAUDE_CODE_USE_BEDROCK.
_OFF = frozenset({"", "0", "false", "no", "off"})


def is_set(entry: BillingName, value: str) -> bool:
    """Whether a name with this value has an effect: an empty value never has, and a switch can say no."""
    return value != "" and not (entry.switch and value.strip().lower() in _OFF)


def block_sources(
    env: Mapping[str, str], settings: Iterable[str], scope: Scope, place: str
) -> tuple[CredentialSource, ...]:
    """The sources in one settings object, given its ``env`` block and the names of its other settings that are not empty."""
    entries = {name: billing_name(name) for name in env}
    found = [
        (name, entry)
        for name, entry in entries.items()
        if entry is not None and entry.pays and is_set(entry, env[name])
    ]
    known = {entry.name: entry for entry in BILLING_SETTINGS}
    found += [(name, known[name]) for name in settings if name in known]
    return tuple(
        CredentialSource(name=name, kind=entry.kind, scope=scope, place=place) for name, entry in found
    )


def env_block(raw: msgspec.Raw) -> dict[str, str]:
    """An `env` block with every value replaced by a word that says only whether it is one: see ``is_set``.

    The CLI takes numbers and booleans as text, leaves ``null`` out, and ignores a block that is not an object.
    """
    try:
        values = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return {name: _state(bytes(value)) for name, value in values.items()}


def is_given(raw: msgspec.Raw) -> bool:
    """Whether a setting holds anything at all."""
    return bytes(raw) not in {b"", b'""', b"null"}


def _state(value: bytes) -> str:
    if value in {b'""', b"null"}:
        return ""
    word = value.strip(b'"').decode("ascii", "replace").lower()
    return word if word.strip() in _OFF else "set"
