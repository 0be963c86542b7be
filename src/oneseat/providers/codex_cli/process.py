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
from .login import Watch


class CodexStart(Start, frozen=True):
    """How a process is started. ``addresses`` are the base URLs that oneseat set."""

    addresses: dict[str, str]


class CodexProcess(OfficialProcess[Channel]):
    """A running app-server. Create it with ``start``; always ``end`` or ``kill`` it.

    ``watch`` tells whether what decides who pays has changed.

    What is learned of it outlives a run: its ``version`` (``None`` until it was opened), its ``thread`` and the ``model`` of that.
    """

    def __init__(
        self, child: Child, channel: Channel, start: CodexStart, private: Path, watch: Watch
    ) -> None:
        super().__init__(child, channel, start, private)
        self.addresses = start.addresses
        self.watch = watch
        self.opened = False
        self.version: str | None = None
        self.thread: str | None = None
        self.model: str | None = None

    @classmethod
    def start(cls, start: CodexStart, private: Path, redact: Callable[[str], str]) -> CodexProcess:
        """Start the CLI; ``private`` is removed with it. Raises ``OneseatError`` ``provider.cannot_start``."""
        with starting(start.argv[0]):
            watch = Watch(start.env, start.cwd)
            child = Child.start(start.argv, env=start.env, cwd=start.cwd, run_id=start.marker)
        return cls(child, Channel(child, redact), start, private, watch)

    def look(self) -> ProcessCheck:
        """Check the actual environment of the process and its descendants: a wrapper script starts the CLI as another process."""
        below = [process.pid for process in descendants(self.child.pid)]
        seen = [
            inspect_process(self.started, pid, CODEX_NAMES)
            for pid in (None, *(below if self.thread is None else ()))
        ]
        return joined(seen)
