"""Stores the plan that an account was last seen on, as `codex exec` does not report it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from oneseat._util.atomic import replace_file
from oneseat.host.paths import create_folder

#: How long a plan is trusted, in seconds: an account can change it at any time.
_GOOD_S = 30 * 24 * 3600.0
#: How often the plan is written again, in seconds.
_AGAIN_S = 24 * 3600.0
_ACCOUNT = re.compile(r"[0-9a-f]{8,64}")
_MAX_BYTES = 1000


class _Seen(msgspec.Struct, frozen=True):
    plan: str
    at: float


class SeenPlans:
    """One small file per account, named by a hash of its id, in ``folder``, which is created on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, account: str | None, now: float) -> str | None:
        """The plan of an account; ``None`` if it is unknown or was seen more than thirty days before ``now`` (in seconds)."""
        seen = self._read(account)
        return seen.plan if seen is not None and 0 <= now - seen.at < _GOOD_S else None

    def remember(self, account: str | None, plan: str, now: float) -> None:
        """Store the plan of an account. Raises ``OSError``."""
        seen = self._read(account)
        if account is None or not _ACCOUNT.fullmatch(account):
            return
        if seen is not None and seen.plan == plan and 0 <= now - seen.at < _AGAIN_S:
            return
        create_folder(self._folder)
        replace_file(self._folder / account, msgspec.json.encode(_Seen(plan, now)))

    def _read(self, account: str | None) -> _Seen | None:
        if account is None or not _ACCOUNT.fullmatch(account):
            return None
        try:
            with (self._folder / account).open("rb") as file:
                return msgspec.json.decode(file.read(_MAX_BYTES), type=_Seen)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
