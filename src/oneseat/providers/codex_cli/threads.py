"""Maps oneseat's session ids to the CLI's thread ids, as the CLI does not accept an id from outside."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from oneseat._util.atomic import replace_file
from oneseat.host.paths import create_folder

#: Both ids are UUIDs; nothing else may become a part of a path or of a pattern.
_ID = re.compile(r"[0-9A-Fa-f-]{1,64}")
_MAX_BYTES = 200


class Threads:
    """One small file per conversation, in ``folder``, which is created on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, session_id: str) -> str | None:
        """The thread of a conversation; ``None`` if it is unknown."""
        if not _ID.fullmatch(session_id):
            return None
        try:
            with (self._folder / session_id).open("rb") as file:
                thread = file.read(_MAX_BYTES).decode("ascii")
        except (OSError, UnicodeDecodeError):
            return None
        return thread if _ID.fullmatch(thread) else None

    def remember(self, session_id: str, thread: str) -> None:
        """Store the thread of a conversation. Raises ``OSError``."""
        if not (_ID.fullmatch(session_id) and _ID.fullmatch(thread)):
            return
        create_folder(self._folder)
        replace_file(self._folder / session_id, thread.encode("ascii"))


def records(folder: Path, thread: str) -> list[Path]:
    """The files in the CLI's ``folder`` that contain a thread."""
    if not _ID.fullmatch(thread):
        return []
    try:
        return [path for path in folder.glob(f"sessions/*/*/*/rollout-*-{thread}.jsonl*") if path.is_file()]
    except OSError:
        return []


class CodexTranscripts:
    """Implements ``Update``. ``folder`` is the CLI's configuration folder."""

    def __init__(self, threads: Threads, folder: Callable[[], Path]) -> None:
        self._threads = threads
        self._folder = folder

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:  # noqa: ARG002 - the CLI files by date
        return await asyncio.to_thread(self._size, session_id)

    async def written_bytes(self, session_id: str, cwd: str) -> int:
        return await self.transcript_bytes(session_id, cwd)

    def _size(self, session_id: str) -> int:
        thread = self._threads.of(session_id)
        if thread is None:
            return 0
        try:
            return sum(path.stat().st_size for path in records(self._folder(), thread))
        except OSError:
            return 0
