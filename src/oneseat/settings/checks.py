"""Checks of a setting's value."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import PurePath

import msgspec

from oneseat.contract.billing_names import (
    CLAUDE_NAMES,
    CODEX_NAMES,
    FILE_LOCATIONS,
    BillingNames,
    loads_code,
)


class Check(msgspec.Struct, frozen=True):
    """What a setting accepts.

    ``parse`` returns the value to use and raises ``ValueError`` for an invalid one. A ``secretive`` value may contain a credential
    and is shown without it. An invalid ``hidden`` value is never shown: it may be a credential written instead of its location.
    ``options`` are the permitted words of a setting that has only a few.
    """

    expected: str
    parse: Callable[[object], object]
    code: str = "usage.bad_setting"
    hint: str | None = None
    secretive: bool = False
    hidden: bool = False
    options: tuple[str, ...] = ()


class PartError(ValueError):
    """Raised by a ``parse`` that knows which part of the value is invalid."""


#: Control characters, line separators and lone surrogates: they cannot be typed, stored or printed safely.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or UNPRINTABLE.search(value):
        raise ValueError(value)
    return value


def _path(value: object) -> str:
    path = _text(value)
    # A relative path would run a program from the working directory, perhaps of a stranger's repository.
    if not PurePath(path).is_absolute() and not path.startswith("~/"):
        raise ValueError(value)
    return path


def _paths(value: object) -> tuple[str, ...]:
    return tuple(map(_path, value if isinstance(value, list | tuple) else [None]))


def _instructions(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(value)
    return value


def _flag(value: object) -> bool:
    if value is not True and value is not False:
        raise ValueError(value)
    return value


def seconds(low: float, high: float) -> Check:
    """A duration in seconds, both ends included."""

    def parse(value: object) -> float:
        # `true` is an `int` in Python, and every comparison with NaN is false: refuse both.
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(value)
        return float(value)

    return Check(f"a number of seconds from {low:g} to {high:g}", parse)


def whole(low: int, high: int) -> Check:
    """A whole number, both ends included."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(value)
        return value

    return Check(f"a whole number from {low} to {high}", parse)


def _dollars(value: object) -> float:
    # 0 or less would refuse every run, infinity none.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST_USD:
        raise ValueError(value)
    return float(value)


def one_of(*options: str) -> Check:
    """One of the given words."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in options:
            raise ValueError(value)
        return value

    expected = "one of " + ", ".join(f"`{option}`" for option in options)
    return Check(expected, parse, options=options)


_VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
#: Names that can change who pays or where requests go, and oneseat's own.
_KEPT_NAME = re.compile(
    r"ANTHROPIC|CLAUDE|(AWS|GOOGLE|GCLOUD|CLOUD_ML|VERTEX|BEDROCK|AZURE|ONESEAT)_", re.ASCII
)


def _decides_payer(name: str, table: BillingNames) -> bool:
    entry = table.find(name)
    return name in FILE_LOCATIONS or loads_code(name) or (entry is not None and entry.pays)


def _variable_names(value: object, table: BillingNames) -> tuple[str, ...]:
    """The names in upper case: they are compared without regard to case, think of ``https_proxy``."""
    items = value if isinstance(value, list | tuple) else [None]
    names = tuple(item.upper() if isinstance(item, str) and item.isascii() else "" for item in items)
    for name in names:
        if not _VARIABLE_NAME.fullmatch(name) or _KEPT_NAME.match(name) or _decides_payer(name, table):
            raise ValueError(name)
    return names


def _day(value: object) -> str:
    # TOML has its own date type, and in Python a `datetime` is a `date`.
    text = value.isoformat() if type(value) is date else value
    if not isinstance(text, str) or len(text) != 10:
        raise ValueError(value)
    return date.fromisoformat(text).isoformat()


#: A strict grammar instead of a URL parser: a URL that two parsers could read differently does not match.
_LOOPBACK = re.compile(
    r"http://(?:127\.0\.0\.1|localhost|\[::1\]):([1-9][0-9]{0,4})(?:/[A-Za-z0-9._~:%-]*)*", re.ASCII
)


def _loopback_url(value: object) -> str:
    match = _LOOPBACK.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) > 65535:
        raise ValueError(value)
    # The CLI appends `/v1/messages`; a trailing slash would give another path.
    return match[0].rstrip("/")


_MOST_USD = 1_000_000


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(_text, value if isinstance(value, list | tuple) else [None]))


NAMES = Check("a list of names", _names)
DOLLARS = Check(f"an amount in US dollars above 0, at most {_MOST_USD}", _dollars)
DAY = Check("a day such as `2026-11-20`", _day)
TEXT = Check("text on one line", _text)
INSTRUCTIONS = Check("text", _instructions)
PATHS = Check("a list of absolute paths, or of paths that begin with `~/`", _paths)
FLAG = Check("`true` or `false`", _flag)
PATH = Check("an absolute path, or one that begins with `~/`", _path)
VARIABLE_NAMES = Check(
    "a list of variable names, none of which can change who pays",
    partial(_variable_names, table=CLAUDE_NAMES),
)
CODEX_VARIABLE_NAMES = Check(VARIABLE_NAMES.expected, partial(_variable_names, table=CODEX_NAMES))
LOOPBACK_URL = Check(
    "`http://127.0.0.1:PORT`, `http://localhost:PORT` or `http://[::1]:PORT`, with or without a path",
    _loopback_url,
    code="usage.simulator_not_loopback",
    hint="Name a simulator on this machine: `export ONESEAT_SIMULATOR_URL=http://127.0.0.1:8700`",
    secretive=True,
)
