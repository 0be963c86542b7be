"""Encode a value as one line of JSON, even if it contains a file name that is not UTF-8."""

from __future__ import annotations

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def to_json(value: Any) -> bytes:
    """``value`` as one line of JSON, without a newline."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        # An error can contain a file name that is not UTF-8, which JSON cannot represent as it is.
        return _encoder.encode(_encodable(msgspec.to_builtins(value)))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _encodable(inner) for key, inner in value.items()}
    return [_encodable(inner) for inner in value] if isinstance(value, (list, tuple)) else value
