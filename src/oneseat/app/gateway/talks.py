"""The conversations of the gateway's clients: begun, gone on with, parked at a call of the client's tool, and let go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import msgspec

from oneseat._util.aio import uninterrupted
from oneseat.app.wiring import App, RunStream, new_run_id
from oneseat.contract.events import Event, WalletVerified
from oneseat.contract.gateway.chat import Answering, Broke, Chat, History, Piece
from oneseat.contract.gateway.clients import ApiClient
from oneseat.contract.providers import ROWS
from oneseat.contract.request import Request
from oneseat.installation import Installation

from . import history
from .pieces import Answer
from .requests import Target, build_request, find_target
from .tools import ToolDesk, forced_schema, model_names

#: How long an idle conversation keeps its process, in seconds, and how many do: each takes about 200 MB.
IDLE_S, MOST_IDLE = 300.0, 2
#: How long a run waits for the results of the client's tools, in seconds: longer than a person needs to allow a call.
PARKED_S = 1700.0
#: The timeout of a whole run that calls the client's tools, in seconds.
_LONGEST_S = 86_400.0


class Talk:
    """One conversation: the app that holds it, and the run that goes on in it."""

    def __init__(self, app: App, stack: AsyncExitStack, *, held: bool) -> None:
        self.app = app
        self.held = held
        self.names: dict[str, str] = {}
        self.desk = ToolDesk()
        self.run: RunStream | None = None
        self.wallet = "unknown"
        self.provider: str | None = None
        self._stack = stack
        self._events: AsyncIterator[Event] | None = None
        self._next: asyncio.Task[Event | None] | None = None

    async def begin(self, request: Request) -> None:
        """Begin a run in it."""
        self.run = self.app.stream(request, run_id=new_run_id())
        await self.run.__aenter__()
        self._events = aiter(self.run)

    @property
    def is_over(self) -> bool:
        """Whether the run that waited for the client's tools has ended meanwhile."""
        return self._next is not None and self._next.done()

    async def event(self, *, until_called: bool) -> Event | None:
        """The next event of the run; ``None`` when there is none, and ``until_called`` when a call of a tool waits first."""
        if self._events is None:
            return None
        if self._next is None:
            self._next = asyncio.ensure_future(_following(self._events))
        if until_called:
            called = asyncio.ensure_future(self.desk.called.wait())
            try:
                await asyncio.wait({self._next, called}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                called.cancel()
            if not self._next.done():
                return None
        event, self._next = await self._next, None
        return event

    async def end_run(self) -> None:
        """End the run that goes on, if there is one; its processes are gone when this returns."""
        run, self.run, self._events = self.run, None, None
        if run is not None:
            await run.__aexit__(None, None, None)
        if self._next is not None:
            await asyncio.wait({self._next})
            self._next = None

    async def close(self) -> None:
        """End the conversation with everything it has started."""
        await self.end_run()
        await self._stack.aclose()


class _Kept(NamedTuple):
    talk: Talk
    until: float


class Counts(NamedTuple):
    """Answers that are being given, conversations that are kept, and how many answers were asked for so far."""

    active: int
    parked: int
    idle: int
    answers: int


class Talks:
    """Every conversation that is kept for its client. ``api_only`` keeps all of them from every plan."""

    def __init__(self, here: Installation, app: App, *, api_only: bool = False) -> None:
        self._here = here
        self._app = app
        self._api_only = api_only
        self._parked: dict[str, _Kept] = {}
        self._idle: dict[str, _Kept] = {}
        # A parked run keeps its place among the runs of this machine: half of the places are left to others.
        self._most_parked = max(1, here.settings.run_max_parallel // 2)
        self._active = self._answers = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def answer(
        self, client: ApiClient, chat: Chat
    ) -> AsyncIterator[tuple[Answering, AsyncIterator[Piece]]]:
        """One answer: what is known of it before its first piece, and its pieces.

        Leaving early ends the run. Raises ``UsageError`` for a request that cannot be a run.
        """
        target = find_target(self._here, client, chat.model)
        names = model_names(chat.tools)
        talk, how = await self._take(client, chat)
        if talk is None or how != "parked":
            talk = await self._started(client, chat, target, talk, names)
        answer = Answer(chat, talk.names)
        pieces = self._pieces(talk, answer)
        kept = False
        self._active, self._answers = self._active + 1, self._answers + 1
        try:
            first = await anext(pieces, None)
            if how == "continued" and isinstance(first, Broke):
                # Nothing was answered yet, and what failed may be the process that held it: another one gets all of it.
                await talk.close()
                how, talk = "rendered", await self._started(client, chat, target, None, names)
                answer = Answer(chat, talk.names)
                pieces = self._pieces(talk, answer)
                first = await anext(pieces, None)
            run_id = talk.run.run_id if talk.run is not None else ""
            yield Answering(run_id=run_id, wallet=talk.wallet, history=how), _from(first, pieces)
            kept = answer.over
        finally:
            self._active -= 1
            await pieces.aclose()
            key = history.key_of(client, chat, (*chat.turns, answer.turn)) if kept else None
            await uninterrupted(self._leave(talk, answer, key))

    def counts(self) -> Counts:
        """What goes on now."""
        return Counts(self._active, len(self._parked), len(self._idle), self._answers)

    async def close(self) -> None:
        """End every conversation."""
        if self._timer is not None:
            self._timer.cancel()
        kept = [*self._parked.values(), *self._idle.values()]
        self._parked, self._idle = {}, {}
        await asyncio.gather(*(each.talk.close() for each in kept), *self._closing, return_exceptions=True)

    async def _take(self, client: ApiClient, chat: Chat) -> tuple[Talk | None, History]:
        """The conversation that this request goes on with, and how."""
        earlier, last = history.split(chat)
        if not earlier:
            return None, "fresh"
        key = history.key_of(client, chat, earlier)
        parked = self._parked.pop(key, None)
        if parked is not None:
            results = history.answers_with_text(last)
            # A result goes back as text: pictures among them need a conversation that begins with them.
            whole = not last.attachments and parked.talk.desk.waits_for(results)
            if whole and not parked.talk.is_over:
                parked.talk.desk.post(results)
                return parked.talk, "parked"
            self._let_go(parked.talk)
        idle = self._idle.pop(key, None) if not last.answers else None
        return (None, "rendered") if idle is None else (idle.talk, "continued")

    async def _started(
        self, client: ApiClient, chat: Chat, target: Target, talk: Talk | None, names: dict[str, str]
    ) -> Talk:
        """A conversation with a run that was given this request: the one that is held, or a new one."""
        if talk is None:
            talk, prompt = await self._opened(client, target), history.fresh_prompt(chat)
            attached = tuple(each for turn in chat.turns for each in turn.attachments)
        else:
            prompt, attached = history.next_prompt(chat.turns[-1]), chat.turns[-1].attachments
            # A fallback would know nothing of the conversation.
            target = target._replace(provider=talk.provider)
        talk.names, talk.desk = names, ToolDesk()
        try:
            request = build_request(
                self._here,
                client,
                target,
                prompt,
                system=chat.system,
                functions=talk.desk.functions(chat.tools, names),
                api_only=self._api_only,
            )
            if chat.tools:
                # The time that a person takes to allow a call is not the run's; silence has timeouts of its own.
                request = msgspec.structs.replace(request, timeout_s=_LONGEST_S)
            if chat.forced:
                # A call that must be made is an answer that must fit: the CLI knows no other way to demand one.
                request = msgspec.structs.replace(request, functions=())
            schema = forced_schema(chat.tools, chat.forced) if chat.forced else chat.schema
            await talk.begin(msgspec.structs.replace(request, attachments=attached, schema=schema))
        except BaseException:  # also a client that goes away: no process may be left
            await talk.close()
            raise
        return talk

    async def _opened(self, client: ApiClient, target: Target) -> Talk:
        stack = AsyncExitStack()
        seat = self._here.routes.seat.provider
        named = target.role is not None or target.key is not None or target.provider not in {None, seat}
        # Only the seat keeps a conversation in a process. With a role, what serves the next message may be another one.
        held = not named and client.project is None and not self._api_only and client.wallets != ("api_key",)
        app = await stack.enter_async_context(self._app.conversation()) if held else self._app
        return Talk(app, stack, held=held)

    async def _pieces(self, talk: Talk, answer: Answer) -> AsyncGenerator[Piece, None]:
        called = talk.desk.called
        while not answer.over:
            if called.is_set() and answer.waits_for_tools:
                for piece in answer.hand_over():
                    yield piece
                return
            # A call can come before the message that makes it is over.
            event = await talk.event(until_called=bool(talk.names) and not called.is_set())
            if event is None and not called.is_set():
                return
            if isinstance(event, WalletVerified):
                talk.wallet = event.wallet
            for piece in answer.take(event) if event is not None else ():
                yield piece

    async def _leave(self, talk: Talk, answer: Answer, key: str | None) -> None:
        if key is not None and answer.waits_for_tools and talk.run is not None and talk.run.result is None:
            talk.desk.open(answer.calls)
            self._keep(self._parked, key, _Kept(talk, time.monotonic() + PARKED_S), self._most_parked)
            return
        result = talk.run.result if talk.run is not None else None
        await talk.end_run()
        done = result is not None and result.error is None
        if key is None or not done or not talk.held or answer.cut:
            await talk.close()
            return
        talk.provider = result.receipt.provider if result is not None else None
        if talk.provider not in ROWS or ROWS[talk.provider].kind != "seat":
            await talk.close()
            return
        self._keep(self._idle, key, _Kept(talk, time.monotonic() + IDLE_S), MOST_IDLE)

    def _keep(self, kept: dict[str, _Kept], key: str, talk: _Kept, most: int) -> None:
        if (before := kept.pop(key, None)) is not None:
            self._let_go(before.talk)
        while len(kept) >= most:
            self._let_go(kept.pop(next(iter(kept))).talk)
        kept[key] = talk
        self._watch()

    def _watch(self) -> None:
        """Let go of what nobody came back for."""
        now = time.monotonic()
        for kept in (self._parked, self._idle):
            for key in [key for key, each in kept.items() if each.until <= now]:
                self._let_go(kept.pop(key).talk)
        if self._timer is not None:
            self._timer.cancel()
        due = [each.until for kept in (self._parked, self._idle) for each in kept.values()]
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, min(due) - now) + 0.05, self._watch) if due else None

    def _let_go(self, talk: Talk) -> None:
        task = asyncio.ensure_future(talk.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _following(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


async def _from(first: Piece | None, pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    if first is not None:
        yield first
    async for piece in pieces:
        yield piece
