"""Which conversation a run belongs to: the live one of its project or name, a new one, or none."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from oneseat.contract.events import SessionRenewed
from oneseat.contract.ports import Clock, ProjectLocks, Provider, Sessions
from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import ProjectUse, Request, SessionUse
from oneseat.contract.sessions import EndReason, Session
from oneseat.rules.runs import sessions
from oneseat.rules.runs.sessions import Brief, SessionLimits


class SessionDeps(msgspec.Struct, frozen=True):
    """The store of conversations, the locks that allow one run per project at a time, and the limits of a conversation."""

    sessions: Sessions
    locks: ProjectLocks
    limits: SessionLimits


class Conversation:
    """The conversation of one run. ``stamp`` is ``None`` when it has none."""

    def __init__(self, deps: SessionDeps, run_id: str, provider: Provider, clock: Clock) -> None:
        self._deps = deps
        self._run_id = run_id
        self._provider = provider
        self._clock = clock
        self._session: Session | None = None
        self._recorded = False
        self._renewed: SessionRenewed | None = None
        self._replaces: EndReason = "new_session"
        self._brief = Brief()

    @property
    def stamp(self) -> SessionStamp | None:
        """The conversation's id, and the number of this run's message in it."""
        if self._session is None:
            return None
        message = self._session.messages + 1
        return SessionStamp(id=self._session.id, resumed=message > 1, message=message)

    @property
    def continued(self) -> bool:
        """Whether the conversation has messages of earlier runs."""
        return self._session is not None and self._session.messages > 0

    @property
    def brief(self) -> str | None:
        """A summary of an earlier conversation, to be sent before the prompt; ``None`` if none is needed."""
        return self._brief.text

    def news(self) -> SessionRenewed | None:
        """The event of a new conversation that replaces another one. Each event is returned once."""
        renewed, self._renewed = self._renewed, None
        return renewed

    async def written_bytes(self) -> int:
        """The size of the conversation's transcripts in bytes, including those of subagents; 0 if unknown."""
        transcripts = self._provider.transcripts
        if self._session is None or transcripts is None:
            return 0
        return await transcripts.written_bytes(self._session.id, self._session.cwd)

    async def choose(self, request: Request, use: ProjectUse | SessionUse) -> None:
        """Continue the conversation of this place and directory, or begin one where there is none or it must not grow further."""
        now, instructions = self._clock.utc_iso(), sessions.fingerprint(request.system)
        place, wallet, provider = sessions.place_of(use), self._provider.wallet, self._provider.name
        self._session = Session(
            id=str(uuid.uuid4()),
            project=place,
            cwd=request.cwd,
            wallet=wallet,
            provider=provider,
            created_at=now,
            used_at=now,
            messages=0,
            instructions=instructions,
        )
        live = await self._deps.sessions.live_session(place, request.cwd, wallet, provider)
        after = use.after if isinstance(use, SessionUse) else None
        if after is not None and (live is None or live.id != after):
            await self._carry(after)
            self._renew(after, "not_kept", self._session)
            return
        if live is None or use.new_session:
            return
        transcripts = self._provider.transcripts
        size = 0 if transcripts is None else await transcripts.transcript_bytes(live.id, request.cwd)
        limits = self._deps.limits
        reason = sessions.end_reason(live, now=now, size=size, instructions=instructions, limits=limits)
        if reason is None:
            self._session = live
            return
        # "bytes" ends it in the middle of its work, and who asked for this very conversation must not lose it to a limit.
        if reason == "bytes" or isinstance(use, SessionUse):
            await self._carry(live.id)
        self._renew(live.id, reason, self._session)

    async def summary_from(self, request: Request, use: ProjectUse | SessionUse, seat: Provider) -> None:
        """Give a provider without conversations of its own a summary of the conversation with ``seat``."""
        if use.new_session:
            return
        if isinstance(use, SessionUse) and use.after is not None:
            await self._carry(use.after)
            return
        place = sessions.place_of(use)
        live = await self._deps.sessions.live_session(place, request.cwd, seat.wallet, seat.name)
        if live is not None:
            await self._carry(live.id)

    async def heal(self, reason: EndReason) -> None:
        """Continue in a new conversation that begins with a summary of this one."""
        if self._session is not None:
            await self._carry(self._session.id)
            self._begin_anew(self._session, reason)

    def repeat(self) -> None:
        """Prepare to send the run's message again: in a new conversation if it was the first message.

        The CLI accepts a new conversation's id once: a second time, even after a failure, it says "already in use" (measured).
        """
        if self._session is None or self.continued:
            return
        if self._recorded:
            self._begin_anew(self._session, "repeated")
            return
        self._session = msgspec.structs.replace(self._session, id=str(uuid.uuid4()))
        if self._renewed is not None:
            self._renewed = msgspec.structs.replace(self._renewed, session_id=self._session.id)

    async def sent(self) -> None:
        """Record that the run's message is about to be sent."""
        if self._session is not None:
            used = msgspec.structs.replace(
                self._session, used_at=self._clock.utc_iso(), messages=self._session.messages + 1
            )
            await self._deps.sessions.use_session(used, self._run_id, self._replaces)
            self._recorded = True

    async def _carry(self, previous: str) -> None:
        self._brief = sessions.brief(await self._deps.sessions.exchanges(previous))

    def _begin_anew(self, previous: Session, reason: EndReason) -> None:
        now = self._clock.utc_iso()
        self._session = msgspec.structs.replace(
            previous, id=str(uuid.uuid4()), created_at=now, used_at=now, messages=0
        )
        self._renew(previous.id, reason, self._session)

    def _renew(self, previous: str, reason: EndReason, fresh: Session) -> None:
        self._recorded = False
        self._replaces = reason
        self._renewed = sessions.renewed(previous, fresh.id, reason, self._brief.exchanges)


@asynccontextmanager
async def open_conversation(
    deps: SessionDeps,
    request: Request,
    run_id: str,
    clock: Clock,
    *,
    provider: Provider,
    seat: Callable[[], Provider],
) -> AsyncIterator[Conversation]:
    """Open the conversation of a run. It, or its project, stays locked until the run is over, so that no other run writes to it.

    ``seat`` makes the provider whose conversation is summarised for a ``provider`` that keeps none; it is called only then.

    Raises ``UsageError``: ``usage.project_busy``, or when the ledger cannot be read.
    """
    conversation = Conversation(deps, run_id, provider, clock)
    use = request.project or request.session
    if use is None:
        yield conversation
        return
    async with deps.locks.held(sessions.lock_of(use, request.cwd), run_id, use.wait_s):
        if provider.features.sessions:
            await conversation.choose(request, use)
        else:
            await conversation.summary_from(request, use, seat())
        yield conversation
