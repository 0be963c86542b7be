"""Which conversation a run belongs to: its project's live one, a fresh one, or none."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import SessionRenewed
from oneseat.contract.ports import Clock, ProjectLocks, Provider, Sessions
from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import ProjectUse, Request
from oneseat.contract.session import EndReason, Session
from oneseat.rules import sessions
from oneseat.rules.sessions import SessionLimits


class Books(msgspec.Struct, frozen=True):
    """Where conversations are kept, what guards them, and how long they live."""

    sessions: Sessions
    locks: ProjectLocks
    limits: SessionLimits


class Conversation:
    """The conversation of one run. ``stamp`` is ``None`` when it has none; ``renewed`` says that an earlier one was given up."""

    def __init__(self, books: Books, run_id: str, clock: Clock) -> None:
        self.renewed: SessionRenewed | None = None
        self._books = books
        self._run_id = run_id
        self._clock = clock
        self._session: Session | None = None
        self._replaces: EndReason = "new_session"

    @property
    def stamp(self) -> SessionStamp | None:
        """Which conversation, and the number of this run's message in it."""
        if self._session is None:
            return None
        message = self._session.messages + 1
        return SessionStamp(id=self._session.id, resumed=message > 1, message=message)

    async def choose(self, request: Request, use: ProjectUse, provider: Provider) -> None:
        """Go on with the project's conversation of this directory, unless it is not there or must not grow further."""
        now, instructions = self._clock.utc_iso(), sessions.fingerprint(request.system)
        self._session = Session(
            id=str(uuid.uuid4()),
            project=use.name,
            cwd=request.cwd,
            wallet=provider.wallet,
            created_at=now,
            used_at=now,
            messages=0,
            instructions=instructions,
        )
        live = await self._books.sessions.live_session(use.name, request.cwd, provider.wallet)
        if live is None or use.new_session:
            return
        size = await provider.transcript_bytes(live.id, request.cwd)
        limits = self._books.limits
        reason = sessions.why_not(live, now=now, size=size, instructions=instructions, limits=limits)
        if reason is None:
            self._session = live
        else:
            self._renew(live, reason, self._session.id)

    def begin_anew_after(self, error: ErrorInfo) -> bool:
        """Whether the provider failed because it lost the conversation; then ``stamp`` is a fresh one."""
        if error.code != "provider.session_lost" or self._session is None or self._session.messages == 0:
            return False
        lost, now = self._session, self._clock.utc_iso()
        self._session = msgspec.structs.replace(
            lost, id=str(uuid.uuid4()), created_at=now, used_at=now, messages=0
        )
        self._renew(lost, "lost", self._session.id)
        return True

    async def sent(self) -> None:
        """Record that the run's message is about to leave."""
        if self._session is not None:
            used = msgspec.structs.replace(
                self._session, used_at=self._clock.utc_iso(), messages=self._session.messages + 1
            )
            await self._books.sessions.use_session(used, self._run_id, self._replaces)

    def _renew(self, previous: Session, reason: EndReason, fresh_id: str) -> None:
        self._replaces = reason
        self.renewed = sessions.renewed(previous, fresh_id, reason)


@asynccontextmanager
async def conversation_of(
    books: Books, request: Request, run_id: str, provider: Provider, clock: Clock
) -> AsyncIterator[Conversation]:
    """The conversation a run belongs to. A project is held until the run is over, so that no other run writes to it.

    Raises ``UsageError``: ``usage.project_busy``, or when the ledger cannot be read.
    """
    conversation = Conversation(books, run_id, clock)
    use = request.project
    if use is None:
        yield conversation
        return
    async with books.locks.held(use.name, run_id, use.wait_s):
        await conversation.choose(request, use, provider)
        yield conversation
