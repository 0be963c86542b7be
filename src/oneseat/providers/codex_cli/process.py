"""One started app-server process and its actual environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oneseat.contract.billing_names import CODEX_NAMES
from oneseat.host.processes.child import Child
from oneseat.host.processes.tree import descendants
from oneseat.providers.cli_common.process import OfficialProcess, Start, starting
from oneseat.providers.cli_common.process_check import ProcessCheck, inspect_process, joined

from .channel import Channel


class CodexStart(Start, frozen=True):
    """How a process is started. ``addresses`` are the base URLs that oneseat set."""

    addresses: dict[str, str]


class CodexProcess(OfficialProcess[Channel]):
    """A running app-server. Create it with ``start``; always ``end`` or ``kill`` it.

    Its ``version`` (``None`` until it was opened), its ``thread`` and the thread's ``model`` are kept between runs.
    """

    def __init__(self, child: Child, channel: Channel, start: CodexStart, private: Path) -> None:
        super().__init__(child, channel, start, private)
        self.addresses = start.addresses
        self.opened = False
        self.version: str | None = None
        self.thread: str | None = None
        self.model: str | None = None

    @classmethod
    def start(cls, start: CodexStart, private: Path, redact: Callable[[str], str]) -> CodexProcess:
        """Start the CLI; ``private`` is removed with it. Raises ``OneseatError`` ``provider.cannot_start``."""
        with starting(start.argv[0]):
            child = Child.start(start.argv, env=start.env, cwd=start.cwd, run_id=start.marker)
        return cls(child, Channel(child, redact), start, private)

    def look(self) -> ProcessCheck:
        """Check the actual environment of the process and its descendants: a wrapper script starts the CLI as another process."""
        below = [process.pid for process in descendants(self.child.pid)]
        seen = [
            inspect_process(self.child.pid, pid, self.marker, self.env, CODEX_NAMES)
            for pid in (None, *(below if self.thread is None else ()))
        ]
        return joined(seen)
