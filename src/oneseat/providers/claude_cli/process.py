"""One started process of the official CLI, and what is learned of it and of the program it was started from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.events import Event
from oneseat.contract.reports.compat import CliFile
from oneseat.host.processes.child import Child
from oneseat.providers.cli_common.process import OfficialProcess, Start, starting
from oneseat.providers.cli_common.process_check import ProcessCheck, inspect_process

from . import credentials, discovery, wire
from .channel import Channel
from .preflight import Prefetch


class ClaudeStart(Start, frozen=True):
    """How a process is started. ``model`` is the one in ``argv``."""

    model: str


class PromptConfig(msgspec.Struct, frozen=True):
    """What a process is told once, when it is opened for its first run: its instructions and the schema of its answers."""

    system: str
    schema: bytes | None


#: How long the CLI may take to forget a run, in seconds.
_REWIND_S = 5.0


class VersionCache:
    """What was learned of the programs that were started, so that the next process need not be asked for it."""

    def __init__(self) -> None:
        self._known: dict[CliFile, tuple[str, frozenset[str]]] = {}

    def version(self, file: CliFile) -> str | None:
        """The version of this very file, if it is known. An older CLI has to be asked for it in a process apart."""
        return self._known[file][0] if file in self._known else None

    def can_switch(self, file: CliFile, model: str) -> bool:
        """Whether a process of this file can change to ``model`` without a trace, and without asking the vendor.

        Given a name that it does not list, 2.1.329 tries it with a request of its own, before any gate (measured).
        """
        _, models = self._known.get(file, ("", frozenset()))
        return model in models

    def learn(self, file: CliFile, version: str | None, models: Iterable[str]) -> None:
        """Remember it, unless the file may be a script that starts another program."""
        if version is not None and file.size >= discovery.SCRIPT_BYTES:
            self._known[file] = (version, frozenset(models))


class CliProcess(OfficialProcess[Channel]):
    """A running CLI. Make it with ``start``; ``end`` or ``kill`` it, whatever happened.

    ``marker`` is what its whole family carries, ``env`` and ``cwd`` what it was given, ``model`` what it would use now,
    ``file`` the program it was started from, ``began`` when (monotonic seconds), ``reached`` what could change who pays that
    it found when it was started, ``watch`` whether that has changed since.

    What is learned of it outlives a run: its ``version``, what it was opened for (``prompt_config``), its ``cost`` so far (US
    dollars at list price, ``None`` when not known), the ``runs`` it was given, whether the answer to the last has begun
    (``answering``), and the last ``limit`` it reported with what that means (``limits``), as it does not repeat one that has
    not changed (measured). A ``rewindable`` one is given messages with a name, so that it can go back to before the
    ``first_message`` of its last run.
    """

    def __init__(
        self,
        child: Child,
        channel: Channel,
        start: ClaudeStart,
        private: Path,
        file: CliFile,
        known: VersionCache,
        watch: credentials.Watch,
    ) -> None:
        super().__init__(child, channel, start, private)
        self.watch = watch
        self.cwd = start.cwd
        self.model = start.model
        self.executable = start.argv[0]
        self.file = file
        self.began = time.monotonic()
        self.reached = watch.look()
        self._version: str | None = None
        self.prompt_config: PromptConfig | None = None
        self.cost: float | None = 0.0
        self.runs = 0
        self.answering = False
        self.limit: wire.RateLimitInfo | None = None
        self.limits: tuple[Event, ...] = ()
        self.rewindable = False
        self.first_message: str | None = None
        self.prefetch: Prefetch | None = None
        self._checks: dict[int | None, ProcessCheck] = {}
        self._known = known

    @classmethod
    def start(
        cls, start: ClaudeStart, private: Path, redact: Callable[[str], str], known: VersionCache
    ) -> CliProcess:
        """Start the CLI; ``private`` is removed with it. Raises ``OneseatError`` ``provider.cannot_start``."""
        with starting(start.argv[0]):
            file = discovery.identify(start.argv[0])
            watch = credentials.Watch(credentials.ClaudePaths.find(start.env, start.cwd), start.env)
            child = Child.start(start.argv, env=start.env, cwd=start.cwd, run_id=start.marker)
        return cls(child, Channel(child, redact), start, private, file, known, watch)

    @property
    def version(self) -> str | None:
        """Its version, as it told it itself, or another process of the same file meanwhile."""
        return self._version or self._known.version(self.file)

    def learn(self, version: str | None, models: Iterable[str]) -> None:
        """The CLI has told its version and the models it offers."""
        self._version = version
        self._known.learn(self.file, version, models)

    def can_switch(self, model: str) -> bool:
        """Whether it can serve a run on ``model``, without a trace of the change."""
        return model == self.model or self._known.can_switch(self.file, model)

    def accepts(self, prompt_config: PromptConfig) -> bool:
        """Whether it can serve a run that is told this: other instructions leave no trace, another schema cannot be given."""
        if self.prompt_config in (None, prompt_config):
            return True
        return self.prompt_config.schema == prompt_config.schema and self._known.can_switch(
            self.file, self.model
        )

    async def go_back(self) -> bool:
        """Have the CLI forget its last run; whether it says that nothing at all is left of what was said.

        Raises ``OneseatError`` when the CLI dies or refuses, ``TimeoutError`` when it does not answer.
        """
        async with asyncio.timeout(_REWIND_S):
            answer = await self.channel.ask(
                "rewind_conversation", lambda _: None, target_message_uuid=self.first_message
            )
        return answer.get("rewound") is True and answer.get("precedingAssistantUuid") is None

    def look(self, answered: int | None) -> ProcessCheck:
        """What the process, and the one that ``answered``, were really started with. It never changes, so one look is enough."""
        if answered not in self._checks:
            self._checks[answered] = inspect_process(self.started, answered, CLAUDE_NAMES)
        return self._checks[answered]

    async def end(self, patience_s: float) -> None:
        """End the CLI and all that it started, which may take ``patience_s`` seconds to leave, and remove its folder."""
        if self.prefetch is not None:
            self.prefetch.cancel()
        await super().end(patience_s)
