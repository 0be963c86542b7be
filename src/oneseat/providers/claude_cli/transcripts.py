"""How large the CLI's own records of a conversation are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path


class ClaudeTranscripts:
    """Implements ``Update``. ``config_dir`` is the CLI's own folder for runs in a directory."""

    def __init__(self, config_dir: Callable[[str], Path]) -> None:
        self._config_dir = config_dir

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:
        return await asyncio.to_thread(self._size, session_id, cwd)

    async def written_bytes(self, session_id: str, cwd: str) -> int:
        return await asyncio.to_thread(self._size, session_id, cwd, "/subagents/*")

    def _size(self, session_id: str, cwd: str, *further: str) -> int:
        # The CLI derives the folder's name from the directory in its own way; the id is enough to find the file.
        projects = self._config_dir(cwd) / "projects"
        try:
            return sum(
                path.stat().st_size
                for end in (".jsonl", *further)
                for path in projects.glob(f"*/{session_id}{end}")
                if path.is_file()
            )
        except OSError:
            return 0
