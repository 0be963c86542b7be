"""One conversation on one process: each message is a run of its own, asked anew who pays, and nobody waits for a start."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.facts import Abilities
from oneseat.contract.pool import IdleProcess
from oneseat.contract.ports import Provider, ProviderSession
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Permitted, Request
from oneseat.providers import conversation

from .process import OfficialProcess

#: How long a turn that was cancelled may take to end, in seconds; after that the process ends instead.
_STOP_S = 5.0


class Turn(ProviderSession, Protocol):
    """One run of a process that can go on after it."""

    @property
    def sent(self) -> bool:
        """Whether the run's prompt has left."""

    @property
    def turn_ended(self) -> bool:
        """Whether no turn is going on."""

    async def stop(self, patience_s: float) -> None:
        """End the turn that goes on and wait for its end. Raises ``TimeoutError``, and ``OneseatError`` when the CLI is gone."""


Process = TypeVar("Process", bound=OfficialProcess[Any])
Run = TypeVar("Run", bound=Turn)
Run_co = TypeVar("Run_co", bound=Turn, covariant=True)


class Holding(Provider, Protocol[Process, Run_co]):
    """A provider whose processes can outlive a run."""

    def start_held(self, request: Request, session: SessionStamp | None) -> Process:
        """A process that outlives its run; see ``end_held``. Raises ``OneseatError`` when none can be started."""

    async def end_held(self, process: Process) -> None:
        """End such a process and all that it started."""

    def session_on(
        self, process: Process, request: Request, run_id: str, session: SessionStamp | None
    ) -> Run_co:
        """One run of a process."""


class Held(ABC, Generic[Process, Run]):
    """Implements ``Provider``: the provider ``base``, whose runs go on one after the other in one conversation."""

    def __init__(self, base: Holding[Process, Run]) -> None:
        self._base = base
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._terms: dict[str, object] | None = None
        self._session: str | None = None

    @property
    def name(self) -> str:
        """The provider's name as receipts carry it."""
        return self._base.name

    @property
    def wallet(self) -> Wallet:
        """The wallet a run is planned to be paid from."""
        return self._base.wallet

    @property
    def default_model(self) -> str:
        """The model of a request that names none."""
        return self._base.default_model

    @property
    def abilities(self) -> Abilities:
        """What it can be asked for."""
        return self._base.abilities

    @property
    def idle(self) -> tuple[IdleProcess, ...]:
        """The processes that wait for any run; the one of this conversation is not among them."""
        return self._base.idle

    async def idle_change(self) -> None:
        """Wait until ``idle`` has changed; for ever where nothing is started ahead."""
        await self._base.idle_change()

    def held(self) -> AbstractAsyncContextManager[Provider]:
        """Another conversation."""
        return self._base.held()

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:
        """How large the CLI's record of a conversation is; 0 when it is not found."""
        return await self._base.transcript_bytes(session_id, cwd)

    async def written_bytes(self, session_id: str, cwd: str) -> int:
        """All that the CLI has written down for a conversation; 0 when nothing is found."""
        return await self._base.written_bytes(session_id, cwd)

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[Run]:
        """The conversation's process for its next message; it stays when this is left, unless the turn did not end.

        Raises ``UsageError`` ``usage.conversation_changed`` for a request that begins another conversation, ``OneseatError``
        ``provider.conversation_over`` when the process has ended, and what starting one raises.
        """
        async with self._turn:
            process = await self._current(permitted.request, session)
            opened = self._base.session_on(process, permitted.request, run_id, session)
            try:
                yield opened
            finally:
                await uninterrupted(self._after(opened, process))

    async def close(self) -> None:
        """End the conversation."""
        process, self._process = self._process, None
        if process is not None:
            await self._base.end_held(process)

    @abstractmethod
    def _terms_of(self, request: Request) -> dict[str, object]:
        """What of a request the conversation cannot change once it has begun, by name."""

    def _unable(self, process: Process, request: Request) -> str | None:  # noqa: ARG002 - for those that are
        """What else of a request this process cannot serve; ``None`` for nothing."""
        return None

    async def _current(self, request: Request, session: SessionStamp | None) -> Process:
        terms, session_id = self._terms_of(request), session.id if session is not None else None
        if self._process is not None and (self._session != session_id or self._process.child.exited):
            await self.close()
        change = self._change(terms, request)
        if session is not None and change is not None:
            await self.close()  # the CLI's record of the session goes on in another process
        elif session is None:
            self._check(change)
        if self._process is None:
            self._process = self._base.start_held(request, session)
            self._terms, self._session = terms, session_id
        return self._process

    def _change(self, terms: dict[str, object], request: Request) -> str | None:
        change = conversation.first_change(self._terms, terms) if self._terms is not None else None
        return change or (self._unable(self._process, request) if self._process is not None else None)

    def _check(self, change: str | None) -> None:
        if change is not None:
            raise conversation.changed(change)
        if self._terms is not None and self._process is None:
            raise OneseatError(
                ErrorInfo(
                    code="provider.conversation_over",
                    message="The conversation is over: the process that held it has ended",
                    hint=conversation.ANOTHER,
                    whose_turn="you",
                )
            )

    async def _after(self, opened: Run, process: Process) -> None:
        if not opened.sent and not process.child.exited:
            return  # refused by the gate: nothing was said, and the conversation is where it was
        try:
            await self._settle(opened, process)
        except (OneseatError, TimeoutError):
            await self.close()
        except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels this too
            process.kill()
            raise

    async def _settle(self, opened: Run, process: Process) -> None:  # noqa: ARG002 - for those with more to do
        """Have the process ready for the next message. Raises what ``stop`` raises."""
        if not opened.turn_ended:
            await opened.stop(_STOP_S)
