"""One connection as typed messages: lines in, lines out, neither without a bound."""

from __future__ import annotations

import asyncio

import msgspec

from oneseat._util.json import to_json
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Event
from oneseat.contract.protocol import FromClient, Spoken

_decoder: msgspec.json.Decoder[FromClient] = msgspec.json.Decoder(FromClient)


class AlienError(OneseatError):
    """Raised when a client says what no client says."""


class Channel:
    """A client at the other end. ``receive`` and ``send`` raise ``ConnectionError`` or ``EOFError`` when it is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, message: Spoken | Event) -> None:
        """Send one line, and wait while the client has not read enough of what came before."""
        self._writer.write(to_json(message) + b"\n")
        await self._writer.drain()

    async def receive(self) -> FromClient:
        """The next message. Raises ``AlienError`` for a line that is none, or too long to be one."""
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise alien("a line is longer than any message") from None
        try:
            return _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # The decoder's own words can quote the line, and a line can hold a prompt.
            raise alien("a line is not a message of this version") from None


def alien(why: str) -> AlienError:
    """The error of a client that is none."""
    return AlienError(ErrorInfo(code="usage.bad_message", message=f"Invalid message to the server: `{why}`"))
