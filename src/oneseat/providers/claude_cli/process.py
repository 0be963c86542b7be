"""One started process of the official CLI, and what is learned of it and of the program it was started from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from oneseat.contract.events import Event
from oneseat.contract.reports.compat import CliFile
from oneseat.host import credentials
from oneseat.host.child import Child
from oneseat.host.sighting import Sighting, look_at
from oneseat.providers.official_cli.process import OfficialProcess, Start, starting

from . import discovery, wire
from .channel import Channel
from .inquiry import Ahead


class ClaudeStart(Start, frozen=True):
    """How a process is started. ``model`` is the one in ``argv``."""

    model: str


class Special(msgspec.Struct, frozen=True):
    """What a process is told once, when it is opened for its first run: its instructions and the schema of its answers."""

    system: str
    schema: bytes | None


#: How long the CLI may take to forget a run, in seconds.
_REWIND_S = 5.0
#: From this version on another model leaves no trace in the conversation; 2.1.197 tells the model of the change.
_SWITCHES = (2, 1, 329)


class Acquaintances:
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
        version, models = self._known.get(file, ("", frozenset()))
        return model in models and (discovery.parse_version(version) or (0,)) >= _SWITCHES

    def learn(self, file: CliFile, version: str | None, models: Iterable[str]) -> None:
        """Remember it, unless the file may be a script that starts another program."""
        if version is not None and file.size >= discovery.SCRIPT_BYTES:
            self._known[file] = (version, frozenset(models))


class CliProcess(OfficialProcess[Channel]):
    """A running CLI. Make it with ``start``; ``end`` or ``kill`` it, whatever happened.

    ``marker`` is what its whole family carries, ``env`` and ``cwd`` what it was given, ``model`` what it would use now,
    ``file`` the program it was started from, ``began`` when (monotonic seconds), ``reached`` what could change who pays that
    it found when it was started. What is learned of it outlives a run: its ``version``, what it was opened for (``special``),
    its ``cost`` so far (US dollars at list price, ``None`` when not known), the ``runs`` it was given, whether the answer to
    the last has begun (``answering``), and the last ``limit`` it reported with what that means (``limits``), as it does not
    repeat one that has not changed (measured). A ``rewindable`` one is given messages with a name, so that it can go back to
    before the ``first_message`` of its last run.
    """

    def __init__(
        self,
        child: Child,
        channel: Channel,
        start: ClaudeStart,
        private: Path,
        file: CliFile,
        known: Acquaintances,
    ) -> None:
        super().__init__(child, channel, start, private)
        self.cwd = start.cwd
        self.model = start.model
        self.executable = start.argv[0]
        self.file = file
        self.began = time.monotonic()
        self.reached = credentials.reaching(start.env, start.cwd)
        self._version: str | None = None
        self.special: Special | None = None
        self.cost: float | None = 0.0
        self.runs = 0
        self.answering = False
        self.limit: wire.RateLimitInfo | None = None
        self.limits: tuple[Event, ...] = ()
        self.rewindable = False
        self.first_message: str | None = None
        self.ahead: Ahead | None = None
        self._sightings: dict[int | None, Sighting] = {}
        self._known = known

    @classmethod
    def start(
        cls, start: ClaudeStart, private: Path, redact: Callable[[str], str], known: Acquaintances
    ) -> CliProcess:
        """Start the CLI; ``private`` is removed with it. Raises ``OneseatError`` ``provider.cannot_start``."""
        with starting(start.argv[0]):
            file = discovery.identify(start.argv[0])
            child = Child.start(start.argv, env=start.env, cwd=start.cwd, run_id=start.marker)
        return cls(child, Channel(child, redact), start, private, file, known)

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

    def can_be_told(self, special: Special) -> bool:
        """Whether it can serve a run that is told this: other instructions leave no trace, another schema cannot be given."""
        if self.special in (None, special):
            return True
        return self.special.schema == special.schema and self._known.can_switch(self.file, self.model)

    async def go_back(self) -> bool:
        """Have the CLI forget its last run; whether it says that nothing at all is left of what was said.

        Raises ``OneseatError`` when the CLI dies or refuses, ``TimeoutError`` when it does not answer.
        """
        async with asyncio.timeout(_REWIND_S):
            answer = await self.channel.ask(
                "rewind_conversation", lambda _: None, target_message_uuid=self.first_message
            )
        return answer.get("rewound") is True and answer.get("precedingAssistantUuid") is None

    def look(self, answered: int | None) -> Sighting:
        """What the process, and the one that ``answered``, were really started with. It never changes, so one look is enough."""
        if answered not in self._sightings:
            self._sightings[answered] = look_at(self.child.pid, answered, self.marker, self.env)
        return self._sightings[answered]

    async def end(self, patience_s: float) -> None:
        """End the CLI and all that it started, which may take ``patience_s`` seconds to leave, and remove its folder."""
        if self.ahead is not None:
            self.ahead.cancel()
        await super().end(patience_s)
