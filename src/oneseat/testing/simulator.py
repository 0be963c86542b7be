"""A simulator of the vendors' APIs on a loopback port, for tests, demos and trials.

Point the official CLI, or any other client of the API, at one of its URLs:

    with Simulator() as sim:
        url = sim.url("overloaded-once", label="my-test")
        ...
        assert len(sim.messages("my-test")) == 2
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from oneseat.contract.errors import ErrorInfo, InternalError, UsageError

from .http import ClientGoneError, Connection
from .recorder import RecordedRequest, Recorder
from .replies import Reply
from .routes import Service
from .scenarios import replies_for

_HOST = "127.0.0.1"
_BACKLOG = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Simulator:
    """A loopback server that plays scenarios and records requests.

    ``port`` 0 picks a free port. As a context manager it serves from a background thread and leaves no thread, socket or task
    behind; ``bind`` and ``serve_forever`` serve in the caller's event loop instead. All other methods may be called from any
    thread.
    """

    def __init__(self, port: int = 0) -> None:
        self._wanted_port = port
        self._recorder = Recorder()
        self._scripts: dict[str, tuple[Reply, ...]] = {}
        self._listener: socket.socket | None = None
        self._background: _Background | None = None

    def __enter__(self) -> Self:
        self.bind()
        self._background = _Background(self)
        self._background.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._background is not None:
            self._background.stop()
            self._background = None

    def bind(self) -> None:
        """Bind the port: afterwards ``url`` is valid and clients may connect. Raises ``UsageError``."""
        if self._listener is None:
            self._listener = _listen(self._wanted_port)

    async def serve_forever(self) -> None:
        """Serve in this event loop until cancelled. Raises ``UsageError`` when the port cannot be bound."""
        self.bind()
        listener, service = self._bound(), Service(self._recorder, self._scripts)
        accepting = True
        async with asyncio.TaskGroup() as connections:

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if accepting:
                    connections.create_task(_converse(service, reader, writer))
                else:  # accepted while stopping: a new task would outlive the group
                    writer.transport.abort()

            # There is no await before the `try`, so a cancellation cannot leak the open socket.
            server = await asyncio.start_server(connected, sock=listener, start_serving=False)
            try:
                await server.start_serving()
                await asyncio.Event().wait()
            finally:
                accepting = False
                server.close()
                self._listener = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._bound().getsockname()[1]
        return port

    def url(self, scenario: str = "ok", label: str | None = None) -> str:
        """The base URL of ``scenario``; ``label`` separates the request counts of one run from all others.

        Raises ``UnknownScenarioError`` for an unknown name, ``ValueError`` for a label that is not valid in a URL.
        """
        replies_for(scenario, self._scripts)
        base = f"http://{_HOST}:{self.port}/s/{quote(scenario, safe=':')}"
        return base if label is None else f"{base}/{_checked_name(label)}"

    def script(self, name: str, replies: Sequence[Reply]) -> None:
        """Add a scenario of your own, or replace one: a reply for the 1st, 2nd, ... request of a label; the last repeats.

        Raises ``ValueError`` when there is no reply or the name is not valid in a URL.
        """
        if not replies:
            raise ValueError(f"scenario without a reply: `{name}`")
        self._scripts[_checked_name(name)] = tuple(replies)

    def requests(self, label: str | None = None) -> list[RecordedRequest]:
        """All requests so far in order of arrival, of one label or of all."""
        return self._recorder.all(label)

    def messages(self, label: str | None = None) -> list[RecordedRequest]:
        """The model requests: those that a real account would have paid for."""
        return [record for record in self._recorder.all(label) if record.is_message]

    def wait_for_messages(self, count: int = 1, label: str | None = None, timeout_s: float = 30.0) -> None:
        """Block until ``count`` model requests have arrived. Raises ``TimeoutError``."""
        if not self._recorder.wait_for_messages(count, label, timeout_s):
            raise TimeoutError(
                f"{len(self.messages(label))} of {count} model requests arrived within {timeout_s:g} s"
            )

    def clear(self) -> None:
        """Forget all requests and start every scenario from its first reply."""
        self._recorder.clear()

    def _bound(self) -> socket.socket:
        if self._listener is None:
            raise InternalError(
                ErrorInfo(
                    code="bug.simulator_not_bound", message="the simulator has no port yet", whose_turn="bug"
                )
            )
        return self._listener


class _Background:
    """Serves in a background thread."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[Any] | None = None
        self._bug: BaseException | None = None
        # A daemon thread: a caller that does not stop it can still exit.
        self._thread = threading.Thread(target=self._run, name="oneseat-simulator", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        if self._loop is not None and self._serving is not None:
            with contextlib.suppress(RuntimeError):  # the loop is already closed by the error raised below
                self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join()
        if self._bug is not None:
            raise self._bug

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except asyncio.CancelledError:
            pass
        except BaseException as bug:  # noqa: BLE001 - handed to the thread that stops us
            self._bug = bug
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.current_task()
        self._ready.set()
        await self._simulator.serve_forever()


async def _converse(service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = Connection(reader, writer)
    try:
        await service.converse(connection)
        await connection.close()
    except ClientGoneError:
        pass
    finally:
        # No effect after a normal close; otherwise a client that does not read could delay the shutdown.
        writer.transport.abort()


def _listen(port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise _port_error("usage.port_refused", port, "a port is a number from 0 to 65535")
    try:
        return socket.create_server((_HOST, port), backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _port_error("usage.port_in_use", port, "another program listens on it") from error
        raise _port_error("usage.port_refused", port, str(error)) from error


def _port_error(code: str, port: int, why: str) -> UsageError:
    hint = "let the system choose a free port: `oneseat simulator --port 0`"
    return UsageError(ErrorInfo(code=code, message=f"cannot listen on port: `{port}`; {why}", hint=hint))


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"letters, digits, dots, dashes and underscores only: `{name}`")
    return name
