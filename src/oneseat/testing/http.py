"""One HTTP/1.1 connection of the simulator: h11 for the protocol, the raw socket for the faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys

import h11
import msgspec

_READ_BYTES = 65536
#: The API rejects larger requests; the rest of the body is read and discarded, so that the client receives the rejection.
MAX_BODY_BYTES = 32 * 1024 * 1024
#: Time for the client to read what was sent before a fault, in seconds; without it, how much it reads is random.
_BEFORE_BREAK_S = 0.05

Headers = list[tuple[str, str]]


class ClientGoneError(Exception):
    """Raised when the client closed or reset the connection."""


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived. Header names are lower case; ``body`` is truncated at ``MAX_BODY_BYTES``."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    body_bytes: int


class Connection:
    """A client's connection. Every method raises ``ClientGoneError`` when the client has disconnected."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        # asyncio sets this only on sockets that name their protocol, which those of `create_server` do not. Without it every
        # answer of more than one packet waits 40 ms for the client's delayed acknowledgement. Suppressed: macOS refuses
        # options on a connection that its client has already reset.
        with contextlib.suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive(self) -> HttpRequest | None:
        """The next request; ``None`` when the client closed between requests. Raises ``h11.RemoteProtocolError``."""
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        start = await self._next_event()
        if not isinstance(start, h11.Request):
            return None
        kept, size = bytearray(), 0
        while isinstance(event := await self._next_event(), h11.Data):
            size += len(event.data)
            if size <= MAX_BODY_BYTES:
                kept += event.data
        return HttpRequest(
            method=start.method.decode("ascii"),
            target=start.target.decode("ascii"),
            headers=tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in start.headers),
            body=bytes(kept),
            body_bytes=size,
        )

    async def _next_event(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:  # the client asked to close after its last request
                return h11.ConnectionClosed()
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._read())

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_READ_BYTES)
        except OSError as error:
            raise ClientGoneError from error

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send one complete response."""
        await self.begin(status, [*headers, ("content-length", str(len(body)))])
        await self.write(body)
        await self.finish()

    async def refuse(self, status: int, why: str) -> None:
        """Answer an invalid HTTP request, unless a response has already started."""
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self.respond(
                status, [("content-type", "text/plain"), ("connection", "close")], why.encode()
            )

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the head of a response; without a content-length the body goes out in chunks."""
        await self._send(h11.Response(status_code=status, headers=headers))

    async def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data:
            await self._send(h11.Data(data=data))

    async def finish(self) -> None:
        """End the body properly."""
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
        try:
            await self._writer.drain()
        except OSError as error:
            raise ClientGoneError from error

    async def pause(self, seconds: float | None) -> None:
        """Wait, but only while the client is connected. ``None`` waits until it disconnects."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while data := await self._read():
                    self._http.receive_data(data)
                raise ClientGoneError

    async def reset(self) -> None:
        """Reset the connection, like a crashing proxy."""
        await self.pause(_BEFORE_BREAK_S)
        # A zero linger time makes close send a reset.
        linger = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    async def cut(self) -> None:
        """Close the connection in the middle of a body."""
        await self.pause(_BEFORE_BREAK_S)
        await self.close()

    async def close(self) -> None:
        """Close the connection after sending what was written."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
