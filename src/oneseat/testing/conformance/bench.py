"""What a check needs: a provider on a simulator scenario, and the outcome of one prompt."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Batch, Event, TextDelta, TurnEnded
from oneseat.contract.facts import PayerFacts
from oneseat.contract.ports import Provider, ProviderSession
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Request
from oneseat.contract.stations import Budgeted, Cleared, Dispatch, Permitted
from oneseat.testing.recorder import RecordedRequest
from oneseat.testing.replies import Reply
from oneseat.testing.simulator import Simulator

#: Makes a provider that sends all its requests to this simulator URL.
Make = Callable[[str], Provider]


class CheckFailedError(Exception):
    """Raised by a failed check. Its text says what was expected and what was seen."""


def expect(holds: object, problem: str) -> None:
    """Raise ``CheckFailedError`` unless the condition holds."""
    if not holds:
        raise CheckFailedError(problem)


class Turn(NamedTuple):
    """The outcome of one prompt, and what had reached the simulator before it was sent."""

    facts: PayerFacts
    sent_before: int
    events: list[Event]
    error: ErrorInfo | None

    def of(self, kind: type[Event]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def ended(self) -> TurnEnded | None:
        """The last event if it ends the turn, else ``None``."""
        last = self.events[-1] if self.events else None
        return last if isinstance(last, TurnEnded) else None

    @property
    def text(self) -> str:
        """The answer."""
        return self.ended.text if self.ended is not None else ""

    @property
    def code(self) -> str | None:
        """The error code, whether the provider raised it or reported it in an event."""
        if self.error is not None:
            return self.error.code
        return self.ended.error.code if self.ended is not None and self.ended.error is not None else None


class Bench:
    """The setup of one check. ``limit_s`` is the time limit of each prompt, in seconds."""

    def __init__(self, make: Make, simulator: Simulator, label: str, cwd: str, limit_s: float) -> None:
        self.cwd = cwd
        self._make = make
        self._simulator = simulator
        self._label = label
        self._limit_s = limit_s

    def play(self, *replies: Reply) -> Provider:
        """A provider that receives these replies."""
        self._simulator.script(self._label, replies)
        return self.provider(self._label)

    def provider(self, scenario: str) -> Provider:
        """A provider on a simulator scenario."""
        return self._make(self._simulator.url(scenario, self._label))

    def requests(self) -> list[RecordedRequest]:
        """The model requests that have arrived so far."""
        return self._simulator.messages(self._label)

    def request(self, prompt: str = "say ok", **fields: Any) -> Request:
        """A request as a caller would make it."""
        return Request(prompt=prompt, cwd=self.cwd, **fields)

    @contextlib.asynccontextmanager
    async def opened(self, provider: Provider, request: Request) -> AsyncIterator[ProviderSession]:
        """The provider, opened for one request."""
        policy = PolicyStamp("GREEN", "conformance", "conformance")
        permitted = Permitted(request=request, policy=policy)
        # A fresh run id: a provider kills every process on the machine that carries the id, including those of another check.
        async with provider.open(permitted, secrets.token_hex(6)) as session:
            yield session

    async def dispatch(self, provider: Provider, session: ProviderSession, request: Request) -> Dispatch:
        """What the engine would send once the provider is ready."""
        while not await session.ready():
            pass
        policy = PolicyStamp("GREEN", "conformance", "conformance")
        permitted = Permitted(request=request, policy=policy)
        budgeted = Budgeted(permitted=permitted, reservation=NO_BUDGET)
        return Dispatch(
            cleared=Cleared(budgeted=budgeted, wallet=provider.wallet, evidence=()),
            provider=provider.name,
            model=request.model or provider.default_model,
            capabilities=session.info,
        )

    async def run(
        self, provider: Provider, request: Request | None = None, say: Sequence[str] = ()
    ) -> list[Turn]:
        """Open, ask who pays, send the prompt and then each of ``say``. An ``OneseatError`` ends the run and is recorded."""
        asked = request or self.request()
        turns: list[Turn] = []
        async with asyncio.timeout(self._limit_s), self.opened(provider, asked) as session:
            facts = await session.credential_facts()
            dispatch = await self.dispatch(provider, session, asked)
            before = len(self.requests())
            turns.append(await _turn(session.send(dispatch), facts, before))
            turns += [await _turn(session.say(text), facts, len(self.requests())) for text in say]
        return turns

    async def one(self, provider: Provider, request: Request | None = None) -> Turn:
        """Like ``run``, for one prompt."""
        return (await self.run(provider, request))[0]

    async def stopped(
        self, provider: Provider, stop: Callable[[ProviderSession, asyncio.Task[Any]], Awaitable[None]]
    ) -> list[Event]:
        """Send a prompt, call ``stop`` after the first text, and return everything up to the end."""
        events: list[Event] = []
        request = self.request()
        async with asyncio.timeout(self._limit_s), self.opened(provider, request) as session:
            await session.credential_facts()
            dispatch = await self.dispatch(provider, session, request)
            begun = asyncio.Event()

            async def read() -> None:
                async for batch in session.send(dispatch):
                    events.extend(batch)
                    if any(isinstance(event, TextDelta) for event in batch):
                        begun.set()

            reading = asyncio.ensure_future(read())
            await begun.wait()
            await stop(session, reading)
            with contextlib.suppress(OneseatError, asyncio.CancelledError):
                await reading
        return events


async def _turn(batches: AsyncIterator[Batch], facts: PayerFacts, before: int) -> Turn:
    seen: list[Event] = []
    try:
        async for batch in batches:
            seen.extend(batch)
    except OneseatError as error:
        return Turn(facts, before, seen, error.info)
    return Turn(facts, before, seen, None)


def sent_text(record: RecordedRequest) -> str:
    """A request's body as text, to search it for what was sent."""
    return msgspec.json.encode(record.body).decode()
