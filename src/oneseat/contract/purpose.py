"""The purpose of a request in everyday words: who asks, who reads the answer, whose work it is."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .policy import Author, Reader, WorkOwner
from .request import Purpose

_AUTHORS: Mapping[str, Author] = {
    "me": "owner",
    "automation": "owner_automation",
    "anonymous": "anonymous",
    "unknown": "unknown",
}
_READERS: Mapping[str, tuple[Reader, bool]] = {
    "me": ("owner", False),
    "reviewed": ("owner_publishes", True),
    "published": ("owner_publishes", False),
    "others": ("third_party_direct", False),
    "customers": ("customers", False),
    "unknown": ("unknown", False),
}
_OWNERS: Mapping[str, WorkOwner] = {
    "me": "owner",
    "employer": "employer",
    "client": "client",
    "other": "other",
    "unknown": "unknown",
}
#: The words for readers: `reviewed` is published after the owner has read it, `published` without that.
READERS = tuple(_READERS)
#: The words for whose work it is.
OWNERS = tuple(_OWNERS)


class PurposeWords(msgspec.Struct, frozen=True, kw_only=True):
    """A purpose in everyday words; ``None`` is not stated.

    ``asked_by`` is `me`, `automation` (one's own), `anonymous`, `unknown`, or anybody else's name; ``reader`` is one of
    ``READERS`` and ``work_of`` one of ``OWNERS``.
    """

    asked_by: str | None = None
    reader: str | None = None
    work_of: str | None = None

    def over(self, other: PurposeWords) -> PurposeWords:
        """This purpose, completed by ``other`` where it states nothing."""
        return PurposeWords(
            asked_by=other.asked_by if self.asked_by is None else self.asked_by,
            reader=self.reader or other.reader,
            work_of=self.work_of or other.work_of,
        )

    def purpose(self) -> Purpose:
        """The purpose for a request; by default everything is the owner's own."""
        reader, reviewed = _READERS[self.reader or "me"]
        return Purpose(
            author=_author("me" if self.asked_by is None else self.asked_by),
            reader=reader,
            reviewed=reviewed,
            work_owner=_OWNERS[self.work_of or "me"],
        )


def _author(asked_by: str) -> Author:
    # An empty name, as from an unset variable, must not pass for the owner's.
    said = asked_by.strip().lower()
    return _AUTHORS.get(said, "other_human") if said else "unknown"
