"""One conversation on one process: each message is a run of its own, asked anew who pays, and nobody waits for a start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from oneseat.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.facts import Abilities
from oneseat.contract.pool import IdleProcess
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Permitted, Request

from .inquiry import Ahead, can_be_asked_ahead
from .launcher import Shape
from .process import CliProcess, Special
from .session import ClaudeSession, special_of

if TYPE_CHECKING:
    from .provider import ClaudeCliProvider

#: How long a turn that was cancelled may take to end, in seconds; after that the process ends instead.
_STOP_S = 5.0


class _Terms(NamedTuple):
    """What a conversation cannot change once it has begun."""

    shape: Shape
    special: Special


class HeldProvider:
    """Implements ``Provider``: a ``ClaudeCliProvider`` whose runs go on one after the other in one conversation."""

    name = "claude-cli"

    def __init__(self, base: ClaudeCliProvider) -> None:
        self._base = base
        self._turn = asyncio.Lock()
        self._process: CliProcess | None = None
        self._terms: _Terms | None = None
        self._session: str | None = None

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
        """Wait until ``idle`` has changed."""
        await self._base.idle_change()

    def held(self) -> AbstractAsyncContextManager[HeldProvider]:
        """Another conversation."""
        return self._base.held()

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:
        """How large the CLI's record of a conversation is; 0 when it is not found."""
        return await self._base.transcript_bytes(session_id, cwd)

    async def written_bytes(self, session_id: str, cwd: str) -> int:
        """What the CLI has written down for a conversation, in the files of its subagents too; 0 when nothing is found."""
        return await self._base.written_bytes(session_id, cwd)

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[ClaudeSession]:
        """The conversation's process for its next message; it stays when this is left, unless the turn did not end.

        Raises ``UsageError`` ``usage.conversation_changed`` for a request that begins another conversation, ``OneseatError``
        ``provider.conversation_over`` when the process has ended, and what starting one raises.
        """
        request = permitted.request
        async with self._turn:
            surroundings = self._base.surroundings(request, session)
            process = await self._current(request, session)
            opened = self._base.session_on(process, surroundings, run_id)
            try:
                yield opened
            finally:
                await uninterrupted(self._after(opened, process))

    async def close(self) -> None:
        """End the conversation."""
        process, self._process = self._process, None
        if process is not None:
            await self._base.end_held(process)

    async def _current(self, request: Request, session: SessionStamp | None) -> CliProcess:
        terms = _Terms(Shape.of(request), special_of(request))
        session_id = session.id if session is not None else None
        model = request.model or self.default_model
        if self._process is not None and (self._session != session_id or self._process.child.exited):
            await self.close()
        if session is None:
            self._check(terms, model)
        elif self._terms != terms or (self._process is not None and not self._process.can_switch(model)):
            await self.close()
        if self._process is None:
            self._process = self._base.start_held(request, session)
            # A message the provider has failed on can be taken back; a session's record keeps it, as in any other run.
            self._process.rewindable = session is None
            self._terms, self._session = terms, session_id
        return self._process

    def _check(self, terms: _Terms, model: str) -> None:
        if self._terms is None:
            return
        changed = _changed(self._terms, terms)
        if changed is None and self._process is not None and not self._process.can_switch(model):
            changed = "model"
        if changed:
            raise UsageError(
                ErrorInfo(
                    code="usage.conversation_changed",
                    message=f"An open conversation cannot change: `{changed}`\n  it is fixed by the first message",
                    hint="Begin another one: `async with app.conversation() as talk`",
                )
            )
        if self._process is None:
            raise OneseatError(
                ErrorInfo(
                    code="provider.conversation_over",
                    message="The conversation is over: the process that held it has ended",
                    hint="Begin another one: `async with app.conversation() as talk`",
                    whose_turn="you",
                )
            )

    async def _after(self, opened: ClaudeSession, process: CliProcess) -> None:
        if not opened.sent and not process.child.exited:
            return  # refused by the gate: nothing was said, and the conversation is where it was
        try:
            if not opened.turn_ended:
                await opened.stop(_STOP_S)
            elif not opened.clean:
                await self._take_back(process)
        except (OneseatError, TimeoutError):
            await self.close()
            return
        except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels this too
            process.kill()
            raise
        if can_be_asked_ahead(process):
            process.ahead = Ahead(process)

    async def _take_back(self, process: CliProcess) -> None:
        """Let the CLI forget a message it failed on, or its next turn would answer both. An older one cannot, and goes on."""
        if process.first_message is None:
            return
        with contextlib.suppress(OneseatError):
            await process.go_back()


def _changed(before: _Terms, now: _Terms) -> str | None:
    fields = {
        "system": (before.special.system, now.special.system),
        "schema": (before.special.schema, now.special.schema),
        "tools": (before.shape.tools, now.shape.tools),
        "cwd": (before.shape.cwd, now.shape.cwd),
    }
    return next((name for name, (one, other) in fields.items() if one != other), None)
