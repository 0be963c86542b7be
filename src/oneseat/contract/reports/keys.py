"""The owner's API keys. No value of a key is part of a report, not even a part of one."""

from __future__ import annotations

import msgspec

from oneseat.contract.errors import ErrorInfo


class KeyState(msgspec.Struct, frozen=True, kw_only=True):
    """One key. ``present`` is ``None`` where that cannot be known, with the reason in ``problem``, and where no key is needed."""

    name: str
    provider: str
    place: str
    needed: bool
    present: bool | None
    credits: bool
    base_url: str | None
    problem: ErrorInfo | None = None


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """Every key of the settings."""

    keys: tuple[KeyState, ...]
