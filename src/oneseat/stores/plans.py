"""What is known about plans: the file of this package, with the owner's own file over it, entry by entry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.reports.plans import Alternative, Class, Enough, Notice, Plan, PlanBook, Requests

from .json_place import line_of

_FILE = Path(__file__).with_name("plans.json")
#: A few entries. A larger file is a mistake.
_MAX_BYTES = 262_144
_AT = re.compile(r"^(.*?)(?: - at `(\$[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_POSITION = re.compile(r"(?:\(byte (\d+)\))")

_Entry = TypeVar("_Entry", Plan, Class, Alternative, Requests, Notice)


class _Own(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the owner's file may hold: the same lists, any of them left out."""

    plans: tuple[Plan, ...] = ()
    classes: tuple[Class, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    requests: tuple[Requests, ...] = ()
    notices: tuple[Notice, ...] = ()
    enough: Enough | None = None


def read_plans(own: Path) -> PlanBook:
    """The bundled entries, each replaced by the one with the same id in the file ``own``, which may be missing.

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
        # A named pipe of this name would be waited for.
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
        msgspec.json.decode(
            text
        )  # first, as a typed decoder stops at a wrong value and never sees that the rest is no JSON
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
    # Without a position, the end came too soon.
    before = text.encode()[: int(found[1])] if found else text.encode().rstrip()
    return _bad(path, f":{before.count(10) + 1}", _POSITION.sub("", said).strip())


def _bad(path: Path, place: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.bad_plans_file",
            message=f"The file of plans cannot be used: `{path}{place}`\n  {why}",
            hint="See what it may hold: `oneseat advise --help`",
        )
    )
