"""The server: which connections it takes, how many, and how it ends without losing a run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from oneseat._util.time import iso_ms
from oneseat.app.eligibility import RunEligibility, decode_request
from oneseat.app.wiring import App, new_run_id
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.protocol import (
    MAX_LINE_BYTES,
    Accepted,
    AskStatus,
    AskStop,
    Broken,
    Call,
    Declined,
    Leave,
    ServerStatus,
    WentCold,
)
from oneseat.contract.request import Entry, Request
from oneseat.host.endpoint import LocalEndpoint
from oneseat.version import __version__

from .channel import AlienError, Channel, alien
from .served_run import ServedRun

#: A client says what it wants at once. One that does not would keep a place from others, in seconds.
_FIRST_WORD_S = 10.0
#: Connections for each run that may go on: some only ask for the status, some have yet to say what they want.
_PER_RUN = 2
_BUG = ErrorInfo(
    code="bug.unexpected",
    message="The server failed on this connection; the others continue",
    hint="Please report it with the command you typed and `oneseat --version`",
    whose_turn="bug",
)


class Server:
    """Does the runs of other commands."""

    def __init__(self, app: App, eligibility: RunEligibility, since: str) -> None:
        self._app = app
        self._eligibility = eligibility
        self._since = since
        self._last_cold: WentCold | None = None
        self._runs: dict[str, ServedRun] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._draining = asyncio.Event()
        self._hurried = asyncio.Event()

    def stop(self) -> None:
        """End when the runs that go on have ended; called once more, cancel them."""
        (self._hurried if self._draining.is_set() else self._draining).set()

    async def serve(
        self, endpoint: LocalEndpoint, listener: socket.socket, say: Callable[[str], None]
    ) -> None:
        """Let clients in until ``stop``; returns when every run is over. ``say`` gets a line when they may come, and when
        runs keep the server from ending at once.
        """

        def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Not a coroutine: asyncio would log one that was cancelled as a failure.
            if len(self._connections) >= _PER_RUN * self._eligibility.settings.serve_max_connections:
                writer.close()
                return
            task = asyncio.ensure_future(self._admit(endpoint, reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        listening = await asyncio.start_server(admit, sock=listener, limit=MAX_LINE_BYTES)
        try:
            say(f"Listening on {endpoint.address}; stop with Ctrl-C")
            await self._draining.wait()
        finally:
            # First the way in: a command that finds no server does its run itself.
            endpoint.close()
            listening.close()
            if self._runs:
                say(f"Stopping; active runs: {len(self._runs)}. Signal again to cancel them")
            await self._drain()
            # Those that ask to be told when all is over, or have yet to say what they want.
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _drain(self) -> None:
        hurried = asyncio.ensure_future(self._hurried.wait())
        finished = asyncio.ensure_future(self._all_runs_over())
        limit = self._eligibility.settings.serve_drain_s
        await asyncio.wait({hurried, finished}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        for run in self._runs.values():
            run.cancel()
        await finished
        hurried.cancel()

    async def _all_runs_over(self) -> None:
        while self._runs:
            busy = [task for task in self._connections if task.get_name() in self._runs]
            await asyncio.wait(busy)

    async def _admit(
        self, endpoint: LocalEndpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        channel = Channel(reader, writer)
        try:
            if await endpoint.admits(reader, writer):
                await self._converse(channel)
        except AlienError as error:
            await _last_words(channel, error.info)
        except (ConnectionError, EOFError, TimeoutError):
            pass
        except Exception:  # noqa: BLE001 - one connection's bug must not take the runs of the others with it
            await _last_words(channel, _BUG)
        finally:
            writer.close()

    async def _converse(self, channel: Channel) -> None:
        hello = self._eligibility.hello()
        await channel.send(hello)
        async with asyncio.timeout(_FIRST_WORD_S):
            first = await channel.receive()
        match first:
            case Call():
                await self._call(channel, first, hello.nonce)
            case AskStatus():
                await channel.send(self._status())
            case AskStop():
                self._draining.set()
                # Closed by the end of this process, which is what the client waits for.
                await asyncio.Event().wait()
            case Leave():
                self._note_cold(first.why)
            case _:
                raise alien("a message is not a request, or out of order")

    async def _call(self, channel: Channel, call: Call, nonce: str) -> None:
        try:
            request = decode_request(call.request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise alien("a message is not a request, or out of order") from None
        why = self._full() or await self._eligibility.objection(call, request, nonce) or self._full()
        if why is not None:
            self._note_cold(why)
            await channel.send(Declined(why=why))
            return
        sources = self._eligibility.sources(call.around)
        entry = Entry(exposure="unix_socket", attended=request.entry.attended)
        request = msgspec.structs.replace(request, caller_sources=sources, entry=entry)
        await self._run(channel, request, asks=call.asks)

    async def _run(self, channel: Channel, request: Request, *, asks: bool) -> None:
        run_id = new_run_id()
        run = ServedRun(self._app, request, run_id, channel, asks=asks)
        task = asyncio.current_task()
        if task is not None:
            task.set_name(run_id)
        self._runs[run_id] = run
        try:
            await channel.send(Accepted(run_id=run_id))
            await run.go()
        finally:
            del self._runs[run_id]

    def _full(self) -> str | None:
        if self._draining.is_set():
            return "the server is shutting down"
        most = self._eligibility.settings.serve_max_connections
        return f"the server already has {most} active runs" if len(self._runs) >= most else None

    def _note_cold(self, why: str) -> None:
        self._last_cold = WentCold(at=iso_ms(datetime.now(UTC)), why=why)

    def _status(self) -> ServerStatus:
        return ServerStatus(
            pid=os.getpid(),
            since=self._since,
            version=__version__,
            draining=self._draining.is_set(),
            runs=tuple(run.describe() for run in self._runs.values()),
            warm=self._app.idle,
            last_cold=self._last_cold,
        )


async def _last_words(channel: Channel, info: ErrorInfo) -> None:
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(_FIRST_WORD_S):
            await channel.send(Broken(error=info))
