"""One conversation on one process: each message is a run of its own, asked anew who pays, and nobody waits for a start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from oneseat.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.facts import Abilities
from oneseat.contract.pool import IdleProcess
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import McpServer, Permitted, Request, Tools

from .process import CodexProcess
from .session import CodexSession

if TYPE_CHECKING:
    from .provider import CodexCliProvider

#: How long a turn that was cancelled may take to end, in seconds; after that the process ends instead.
_STOP_S = 5.0


class _Terms(NamedTuple):
    """What a conversation cannot change once it has begun. The model and the schema may change with each message."""

    cwd: str
    system: str | None
    tools: Tools
    mcp_servers: tuple[McpServer, ...]

    @classmethod
    def of(cls, request: Request) -> _Terms:
        return cls(request.cwd, request.system, request.tools, request.mcp_servers)


class HeldCodex:
    """Implements ``Provider``: a ``CodexCliProvider`` whose runs go on one after the other in one conversation."""

    name = "codex-cli"

    def __init__(self, base: CodexCliProvider) -> None:
        self._base = base
        self._turn = asyncio.Lock()
        self._process: CodexProcess | None = None
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
        """Nothing is started ahead."""
        return self._base.idle

    async def idle_change(self) -> None:
        """Wait for ever: nothing is started ahead."""
        await self._base.idle_change()

    def held(self) -> AbstractAsyncContextManager[HeldCodex]:
        """Another conversation."""
        return self._base.held()

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:
        """How large the CLI's record of a conversation is; 0 when it is not found."""
        return await self._base.transcript_bytes(session_id, cwd)

    async def written_bytes(self, session_id: str, cwd: str) -> int:
        """What the CLI has written down for a conversation; 0 when nothing is found."""
        return await self._base.written_bytes(session_id, cwd)

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[CodexSession]:
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

    async def _current(self, request: Request, session: SessionStamp | None) -> CodexProcess:
        terms, session_id = _Terms.of(request), session.id if session is not None else None
        if self._process is not None and (self._session != session_id or self._process.child.exited):
            await self.close()
        if session is None:
            self._check(terms)
        elif self._terms != terms:
            await self.close()
        if self._process is None:
            self._process = self._base.start_held(request)
            self._terms, self._session = terms, session_id
        return self._process

    def _check(self, terms: _Terms) -> None:
        if self._terms is None:
            return
        changed = next(
            (
                name
                for name, one, other in zip(terms._fields, self._terms, terms, strict=True)
                if one != other
            ),
            None,
        )
        if changed is not None:
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

    async def _after(self, opened: CodexSession, process: CodexProcess) -> None:
        await opened.leave()
        if not opened.sent and not process.child.exited:
            return  # refused by the gate: nothing was said, and the conversation is where it was
        try:
            if not opened.turn_ended:
                await opened.stop(_STOP_S)
        except (OneseatError, TimeoutError):
            await self.close()
        except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels this too
            process.kill()
            raise
