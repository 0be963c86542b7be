"""One run of the CLI: through its app-server, or through `codex exec` if that does not start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Batch, Question, Stderr
from oneseat.contract.facts import CodexFacts, SessionInfo
from oneseat.contract.receipt import LimitReading
from oneseat.contract.request import Permission
from oneseat.contract.stations import Dispatch

from .exec_session import ExecSession
from .session import CodexSession

#: The errors of an app-server that does not start: the CLI has none, or one with a different protocol.
_NOT_STARTED = frozenset(
    {"provider.crashed", "provider.output_closed", "provider.garbled", "provider.execution_error"}
)


class SessionWithFallback:
    """Implements ``ProviderSession`` with ``server``. ``other`` makes the fallback session; ``None`` if there is none."""

    def __init__(self, server: CodexSession, other: Callable[[ErrorInfo], ExecSession] | None) -> None:
        self.server = server
        self.fallback: ExecSession | None = None
        self._other = other

    @property
    def info(self) -> SessionInfo:
        return self._now.info

    async def credential_facts(self) -> CodexFacts:
        """Ask who would pay. Raises ``OneseatError`` when the CLI cannot answer."""
        try:
            return await self.server.credential_facts()
        except OneseatError as error:
            if self.server.opened or error.info.code not in _NOT_STARTED or self._other is None:
                raise
            self.fallback = self._other(error.info)
        return await self.fallback.credential_facts()

    async def limits(self, read_at: str) -> tuple[LimitReading, ...]:
        """The usage windows that the vendor's account reports; empty without an app-server."""
        return await self.server.limits(read_at) if self.fallback is None else ()

    def overtaken(self) -> str | None:
        return self._now.overtaken()

    async def ready(self) -> bool:
        return await self._now.ready()

    def send(self, dispatch: Dispatch) -> AsyncIterator[Batch]:
        return self._now.send(dispatch)

    def say(self, text: str) -> AsyncIterator[Batch]:
        return self._now.say(text)

    async def answer(self, question: Question, permission: Permission) -> None:
        await self._now.answer(question, permission)

    def stderr(self) -> Stderr | None:
        return self._now.stderr()

    async def interrupt(self) -> None:
        await self._now.interrupt()

    @property
    def _now(self) -> CodexSession | ExecSession:
        return self.fallback or self.server
