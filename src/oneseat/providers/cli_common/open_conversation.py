"""One conversation on one process of an official CLI: each message is a separate run, without waiting for a start."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.ports import Provider, ProviderSession
from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import Request
from oneseat.contract.stations import Permitted
from oneseat.providers.conversation import NEW_CONVERSATION, ConversationProvider, changed

from .process import OfficialProcess

#: How long a cancelled turn may take to end, in seconds; after that the process is ended.
_STOP_S = 5.0


class Turn(ProviderSession, Protocol):
    """One run of a process that can serve further runs."""

    @property
    def sent(self) -> bool:
        """Whether the run's prompt was sent."""

    @property
    def turn_ended(self) -> bool:
        """Whether no turn is in progress."""

    async def stop(self, timeout_s: float) -> None:
        """End the turn in progress and wait for its end. Raises ``TimeoutError``, and ``OneseatError`` when the CLI died."""


Process = TypeVar("Process", bound=OfficialProcess[Any])
Run = TypeVar("Run", bound=Turn)
Run_co = TypeVar("Run_co", bound=Turn, covariant=True)


class ConversationHost(Provider, Protocol[Process, Run_co]):
    """A provider whose processes can outlive a run."""

    def start_process(self, request: Request, session: SessionStamp | None) -> Process:
        """Start a process that outlives its run; see ``end_process``. Raises ``OneseatError`` when none can be started."""

    async def end_process(self, process: Process) -> None:
        """End such a process and everything it started."""

    def session_on(
        self, process: Process, request: Request, run_id: str, session: SessionStamp | None
    ) -> Run_co:
        """One run on a process."""


class OpenConversation(ConversationProvider, Generic[Process, Run]):
    """Implements ``Provider``: the runs of ``host`` form one conversation on one process."""

    def __init__(self, host: ConversationHost[Process, Run]) -> None:
        super().__init__(host)
        self._host = host
        self._process: Process | None = None
        self._session: str | None = None
        self._begun = False

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[Run]:
        """The conversation's process for its next message. It outlives this context if the turn has ended.

        Raises ``UsageError`` ``usage.conversation_changed`` for a request with different fixed options, ``OneseatError``
        ``provider.conversation_over`` when the process has ended, and the errors of starting one.
        """
        async with self._turn:
            process = await self._current(permitted.request, session)
            opened = self._host.session_on(process, permitted.request, run_id, session)
            try:
                yield opened
            finally:
                await uninterrupted(self._after(opened, process))

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await self._host.end_process(process)

    @abstractmethod
    def _terms_of(self, request: Request) -> dict[str, object]:
        """The options of a request that cannot change during a conversation, by name."""

    def _overtaken(self, process: Process) -> str | None:  # noqa: ARG002 - for overrides
        """A file or folder whose change, while the process waited, it may have kept; ``None`` without one."""
        return None

    def _unsupported(self, process: Process, request: Request) -> str | None:  # noqa: ARG002 - for overrides
        """Another option of the request that this process cannot serve; ``None`` if there is none."""
        return None

    async def _current(self, request: Request, session: SessionStamp | None) -> Process:
        terms, session_id = self._terms_of(request), session.id if session is not None else None
        if self._process is not None and (self._session != session_id or self._process.child.exited):
            await self.close()
        await self._end_overtaken(session)
        change = self._change(terms, request)
        if session is not None and change is not None:
            await self.close()  # another process resumes the session from the CLI's transcript
        elif session is None:
            self._check(change)
        if self._process is None:
            self._process = self._host.start_process(request, session)
            self._terms, self._session = terms, session_id
        return self._process

    async def _end_overtaken(self, session: SessionStamp | None) -> None:
        """End a process that may have kept a setting. Raises ``OneseatError`` when the conversation ends with it."""
        process = self._process
        place = self._overtaken(process) if process is not None else None
        if place is None:
            return
        await self.close()
        if session is None and self._begun:
            raise _over(f"what decides who pays changed while it waited: `{place}`")

    def _change(self, terms: dict[str, object], request: Request) -> str | None:
        return self._changed_term(terms) or (
            self._unsupported(self._process, request) if self._process is not None else None
        )

    def _check(self, change: str | None) -> None:
        if change is not None:
            raise changed(change)
        if self._begun and self._process is None:
            raise _over("the process that held it has ended")

    async def _after(self, opened: Run, process: Process) -> None:
        self._begun = self._begun or opened.sent
        if not opened.sent and not process.child.exited:
            return  # refused by the gate: nothing was sent, so the conversation is unchanged
        try:
            await self._settle(opened, process)
        except (OneseatError, TimeoutError):
            await self.close()
        except BaseException:  # an event loop that is torn down (a second Ctrl-C) cancels this too
            process.kill()
            raise

    async def _settle(self, opened: Run, process: Process) -> None:  # noqa: ARG002 - for overrides
        """Make the process ready for the next message. Raises what ``stop`` raises."""
        if not opened.turn_ended:
            await opened.stop(_STOP_S)


def _over(why: str) -> OneseatError:
    return OneseatError(
        ErrorInfo(
            code="provider.conversation_over",
            message=f"The conversation is over: {why}",
            hint=NEW_CONVERSATION,
            whose_turn="you",
        )
    )
