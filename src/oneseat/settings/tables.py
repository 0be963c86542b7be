"""Tables of the owner's settings file that come in any number, each under a name: ``[projects.NAME]``, ``[keys.NAME]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from .checks import Check

Row = TypeVar("Row")

#: Part of file names and of commands.
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Contradiction(msgspec.Struct, frozen=True):
    """Why a table cannot be used as a whole, though each of its values fits."""

    why: str
    hint: str | None = None


class NamedTable(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """One kind of named table. Declared once; reading, checking and the reference follow from it.

    ``noun`` begins a message about one of them. ``keys`` are what it may hold: what each takes, and what it means.
    ``make`` builds a row from ``name`` and the checked values; ``contradiction`` is asked first, with the name and the same
    values. ``names`` is what one may be called. ``misplaced`` are keys that people write there and that belong elsewhere,
    with the hint for each.
    """

    table: str
    noun: str
    keys: Mapping[str, tuple[Check, str]]
    make: Callable[..., Row]
    contradiction: Callable[[str, Mapping[str, object]], Contradiction | None]
    names: re.Pattern[str] = PLAIN_NAME
    misplaced: Mapping[str, str] = {}
