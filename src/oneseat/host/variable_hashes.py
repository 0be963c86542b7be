"""What a command tells a server of its environment variables: keyed hashes and on-off states, never a value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

_HASH_BYTES = 16
#: The words for "no" of a switch: the receipt tells only what has an effect.
_OFF = frozenset({"", "0", "false", "no", "off"})


def hashes(env: Mapping[str, str], watched: Mapping[str, Any], nonce: str) -> dict[str, str]:
    """A keyed hash of every watched variable: it proves that two values are the same and tells neither."""
    from hashlib import blake2b  # noqa: PLC0415 - loads OpenSSL, which a command without a server has no use for

    key = nonce.encode()
    return {
        name: blake2b(os.fsencode(value), key=key, digest_size=_HASH_BYTES).hexdigest()
        for name, value in env.items()
        if _is_watched(name, watched)
    }


def states(env: Mapping[str, str], watched: Mapping[str, Any]) -> dict[str, str]:
    """Which watched variables are set: ``set``, or as much of the value as says "no"."""
    return {name: _state(value) for name, value in env.items() if _is_watched(name, watched)}


def _state(value: str) -> str:
    word = value.strip().lower()
    return (word or value[:1]) if word in _OFF else "set"


def _is_watched(name: str, watched: Mapping[str, Any]) -> bool:
    upper = name.upper()
    return upper in watched["names"] or upper.startswith(tuple(watched["prefixes"]))
