"""Named tables of the owner's settings file, any number of each kind: ``[projects.NAME]``, ``[keys.NAME]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from .checks import Check

Row = TypeVar("Row")

#: Names are used in file names and on command lines.
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Contradiction(msgspec.Struct, frozen=True):
    """Why a table is invalid although each of its values is valid."""

    why: str
    hint: str | None = None


class NamedTable(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """One kind of named table. Reading, checking and the reference are derived from this declaration.

    ``noun`` starts its error messages. ``keys`` are the permitted keys with their checks and meanings. ``make`` builds a row
    from ``name`` and the checked values, after ``contradiction`` has accepted them. ``names`` is the pattern of valid names.
    ``misplaced`` are keys that belong elsewhere but are often written here, with the hint for each.
    """

    table: str
    noun: str
    keys: Mapping[str, tuple[Check, str]]
    make: Callable[..., Row]
    contradiction: Callable[[str, Mapping[str, object]], Contradiction | None]
    names: re.Pattern[str] = PLAIN_NAME
    misplaced: Mapping[str, str] = {}
