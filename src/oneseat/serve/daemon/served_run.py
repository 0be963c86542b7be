"""One run for a client: events go out as they come, answers and a wish to stop come in, a client that is gone ends it."""

from __future__ import annotations

import asyncio
import contextlib
import time

from oneseat.app.wiring import App, RunStream
from oneseat.contract.events import Event, Failed, Finished, Question
from oneseat.contract.protocol import Answer, Cancel, RunGoingOn
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Permission, Request

from .channel import AlienError, Channel, alien

#: How long the end of a run that the server itself cut may wait for a client that does not read, in seconds.
_LAST_WORD_S = 5.0


class ServedRun:
    """One run. ``go`` does it; ``cancel`` ends it early, with a result that says so."""

    def __init__(self, app: App, request: Request, run_id: str, channel: Channel, *, asks: bool) -> None:
        self._stream: RunStream = app.stream(request, ask=self._ask if asks else None, run_id=run_id)
        self._run_id = run_id
        self._model = request.model
        self._channel = channel
        self._began = time.monotonic()
        self._work: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[Permission]] = {}
        self._cut = False

    def describe(self) -> RunGoingOn:
        """What `oneseat status` shows of it."""
        age = round(time.monotonic() - self._began, 1)
        return RunGoingOn(id=self._run_id, age_s=age, model=self._model)

    def cancel(self) -> None:
        """End the run because the server ends."""
        self._cut = True
        if self._work is not None:
            self._work.cancel()

    async def go(self) -> None:
        """Do the run to its end, whatever the client does. Raises what only a bug raises, and ``AlienError``."""
        self._work = asyncio.ensure_future(self._forward())
        listening = asyncio.ensure_future(self._listen(self._work))
        try:
            await asyncio.wait({self._work})
        finally:
            # Also when this task is cancelled: the run must be over before its connection is.
            self._work.cancel()
            await asyncio.wait({self._work})
            listening.cancel()
            await asyncio.wait({listening})
        _raise_alien(listening)
        with contextlib.suppress(ConnectionError):  # the client is gone, and its run is ended
            await self._tell_end(self._work)

    async def _forward(self) -> None:
        async with self._stream:
            async for event in self._stream:
                if not isinstance(event, Finished | Failed):
                    await self._channel.send(event)

    async def _tell_end(self, work: asyncio.Task[None]) -> None:
        failure = None if work.cancelled() else work.exception()
        result = self._stream.result
        if result is None:  # the context manager sets it on every path
            raise RuntimeError("a run ended without a result") from failure
        last = _last_event(result)
        if not self._cut:
            await self._channel.send(last)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                await self._channel.send(last)

    async def _listen(self, work: asyncio.Task[None]) -> None:
        """Hear the client until it is silent for good, which ends the run: nobody pays for an answer that nobody reads."""
        try:
            while True:
                match await self._channel.receive():
                    case Answer() as answer:
                        self._settle(answer)
                    case Cancel():
                        work.cancel()
                    case _:
                        raise alien("a message is out of order")
        except (EOFError, ConnectionError):
            work.cancel()
        except AlienError:
            work.cancel()
            raise

    async def _ask(self, question: Question) -> Permission:
        # The client has the question already: it was an event.
        waiting: asyncio.Future[Permission] = asyncio.get_running_loop().create_future()
        self._waiting[question.id] = waiting
        try:
            return await waiting
        finally:
            del self._waiting[question.id]

    def _settle(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(Permission(allowed=answer.allowed, why=answer.why))


def _last_event(result: RunResult) -> Event:
    return Finished(result=result) if result.error is None else Failed(result=result)


def _raise_alien(listening: asyncio.Task[None]) -> None:
    if not listening.cancelled() and (error := listening.exception()) is not None:
        raise error
