"""Finds the names that decide who pays in a settings object: its `env` block and a few settings of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.facts import CredentialSource, Scope
from oneseat.providers.cli_common.environment_scan import OFF, is_set


def block_sources(
    env: Mapping[str, str], settings: Iterable[str], scope: Scope, place: str
) -> tuple[CredentialSource, ...]:
    """The sources in one settings object, given its ``env`` block and the names of its other settings that are not empty."""
    entries = {name: CLAUDE_NAMES.find(name) for name in env}
    found = [
        (name, entry)
        for name, entry in entries.items()
        if entry is not None and entry.pays and is_set(entry, env[name])
    ]
    known = {entry.name: entry for entry in CLAUDE_NAMES.settings}
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
    return word if word.strip() in OFF else "set"
