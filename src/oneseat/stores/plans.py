"""Facts about plans: the bundled file, and the owner's file, whose entries replace those of the same id."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.reports.plans import Alternative, Class, Enough, Notice, Plan, PlanBook, Requests

_FILE = Path(__file__).with_name("plans.json")
#: The file holds a few entries. A larger one is a mistake.
_MAX_BYTES = 262_144
_AT = re.compile(r"^(.*?)(?: - at `(\$[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_POSITION = re.compile(r"(?:\(byte (\d+)\))")
_SPACE = re.compile(r"[ \t\r\n]*")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")

_Entry = TypeVar("_Entry", Plan, Class, Alternative, Requests, Notice)


class _Own(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner's file: the same lists, all of them optional."""

    plans: tuple[Plan, ...] = ()
    classes: tuple[Class, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    requests: tuple[Requests, ...] = ()
    notices: tuple[Notice, ...] = ()
    enough: Enough | None = None


def read_plans(own: Path) -> PlanBook:
    """The bundled entries, each replaced by the entry of the same id in the file ``own``, which may be missing.

    Raises ``UsageError`` ``usage.bad_plans_file`` that names the line and the key.
    """
    book = msgspec.json.decode(_FILE.read_bytes(), type=PlanBook)
    mine = _read(own)
    if mine is None:
        return book
    return PlanBook(
        version=book.version,
        plans=_merged(book.plans, mine.plans),
        classes=_merged(book.classes, mine.classes),
        alternatives=_merged(book.alternatives, mine.alternatives),
        requests=_merged(book.requests, mine.requests),
        notices=_merged(book.notices, mine.notices),
        enough=mine.enough or book.enough,
    )


def _merged(bundled: tuple[_Entry, ...], own: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    entries = {entry.id: entry for entry in bundled}
    entries |= {entry.id: entry for entry in own}
    return tuple(entries.values())


def _read(path: Path) -> _Own | None:
    if not path.exists():
        return None
    try:
        # Opening a named pipe would block.
        data = path.read_bytes() if path.is_file() and path.stat().st_size <= _MAX_BYTES else None
    except OSError as error:
        raise _bad(path, "", error.strerror or str(error)) from error
    if data is None:
        raise _bad(path, "", f"it is not a file of at most {_MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _bad(path, f":{line}", "it is not UTF-8") from error
    try:
        # First untyped: the typed decoder stops at a wrong value and would not see a syntax error after it.
        msgspec.json.decode(text)
        return msgspec.json.decode(text, type=_Own)
    except msgspec.ValidationError as error:
        raise _wrong_value(path, text, str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise _not_json(path, text, str(error)) from error


def _wrong_value(path: Path, text: str, said: str) -> UsageError:
    matched = _AT.match(said)
    reason, at = (matched[1], matched[2] or "$") if matched else (said, "$")
    unknown = _UNKNOWN.search(reason)
    if unknown is not None:
        at = f"{at}.{unknown[1]}"
    key = at.removeprefix("$").removeprefix(".") or "the file"
    return _bad(path, f":{line_of(text, at)}", f"`{key}`: {reason[:1].lower()}{reason[1:]}")


def _not_json(path: Path, text: str, said: str) -> UsageError:
    found = _POSITION.search(said)
    # An error without a position means that the text ended too early.
    before = text.encode()[: int(found[1])] if found else text.encode().rstrip()
    return _bad(path, f":{before.count(10) + 1}", _POSITION.sub("", said).strip())


def _bad(path: Path, place: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.bad_plans_file",
            message=f"The plans file cannot be used: `{path}{place}`\n  {why}",
            hint="See what it may hold: `oneseat advise --help`",
        )
    )


def line_of(text: str, path: str) -> int:
    """The line, counted from 1, of a path such as ``$.plans[1].name`` in ``text``, which is valid JSON.

    For a missing member it is the line of the object or array that should hold it.
    """
    at = _skip(text, 0)
    for name, index in _STEP.findall(path):
        try:
            found = _member(text, at, name) if name else _item(text, at, int(index))
        except (
            ValueError,
            RecursionError,
        ):  # such as an integer of thousands of digits, which Python refuses
            break
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _member(text: str, at: int, wanted: str) -> int | None:
    """Where a key's value begins in the object that begins at ``at``."""
    if text[at : at + 1] != "{":
        return None
    decode = json.JSONDecoder().raw_decode
    at, found = _skip(text, at + 1), None
    while text[at] != "}":
        key, end = decode(text, at)
        begin = _skip(text, _skip(text, end) + 1)
        _, end = decode(text, begin)
        if key == wanted:
            found = begin  # the last one of duplicate keys counts
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return found


def _item(text: str, at: int, wanted: int) -> int | None:
    """Where an item of the array that begins at ``at`` begins."""
    if text[at : at + 1] != "[":
        return None
    decode = json.JSONDecoder().raw_decode
    at = _skip(text, at + 1)
    while text[at] != "]":
        if wanted == 0:
            return at
        wanted -= 1
        _, end = decode(text, at)
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
