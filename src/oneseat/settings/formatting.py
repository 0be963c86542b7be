"""Formats values for messages: short, printable on any terminal, without credentials."""

from __future__ import annotations

import re

import msgspec

from .checks import UNPRINTABLE

_MAX_SHOWN = 80


def shown(value: object) -> str:
    """A value as short, printable text."""
    text = printable(str(value))
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def printable(text: str) -> str:
    """``text`` with unprintable characters and terminal codes as visible escapes."""
    return UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def toml(value: object) -> str:
    """A value in TOML syntax; nested lists are abbreviated."""
    if isinstance(value, msgspec.Struct):
        return _inline_table(value)
    if isinstance(value, str):
        return f'"{shown(value)}"'
    if isinstance(value, list | tuple):
        # A hostile file could nest lists deeper than the stack.
        return shown("[" + ", ".join("[…]" if isinstance(item, list) else toml(item) for item in value) + "]")
    return _scalar(value)


def _inline_table(row: msgspec.Struct) -> str:
    """A table inside a list, without absent values."""
    fields = msgspec.structs.fields(row)
    said = ((field.name, getattr(row, field.name), field.default) for field in fields)
    parts = (f"{name} = {toml(value)}" for name, value, default in said if value != default)
    return "{ " + ", ".join(parts) + " }"


def _scalar(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict) or (isinstance(value, int) and value.bit_length() > 64):
        # Python refuses to format an integer with thousands of digits, which a file can contain as `0xFFF…`.
        return "…"
    return str(value).removesuffix(".0")


def without_credentials(value: object) -> object:
    """A URL without user information, query and fragment, which may contain passwords and tokens."""
    if not isinstance(value, str):
        return value
    before, _, after = value.rpartition("@")
    scheme = before.partition("://")[0] + "://" if "://" in before else ""
    if re.search(r"[?#]", before):
        # A password with a question mark or a query with an at sign: ambiguous, so show neither.
        return f"{scheme}…"
    return (f"{scheme}…@" if before else "") + re.split(r"[?#]", after)[0]
