"""A command's connection to a running server: find it, check that it is the owner's, describe the caller, and ask.

Nothing but the standard library, and as little of it as possible: this is what `oneseat run` loads before its request is on its
way. What is said is in contract/protocol.py; here it is written as plain JSON, because loading the types takes 20 ms.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from oneseat.host import quick_paths
from oneseat.host.endpoint import LocalEndpoint
from oneseat.host.environment import current_umask
from oneseat.host.variable_hashes import hashes, states
from oneseat.version import __version__

__all__ = ["Link", "quick_folder", "reach"]

#: A server that is there says hello at once; one that hangs must not hang every command, in seconds.
_HELLO_S = 2.0
_READ_BYTES = 256 * 1024
_MAX_HELLO_BYTES = 64 * 1024


class Link:
    """A connection to a server that has said hello. Use as a context manager; leaving it cancels a run that goes on.

    ``asks`` is whether somebody here answers questions, as it was told to the server.
    """

    def __init__(self, connection: socket.socket, hello: dict[str, Any]) -> None:
        self.hello = hello
        self.connection = connection
        self.asks = False
        self._rest: list[bytes] = []

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def say(self, kind: str, **fields: object) -> None:
        """Send one line. Raises ``OSError`` when the server is gone."""
        self.connection.sendall(_line({"type": kind, **fields}))

    def call(self, request: bytes, cwd: str, *, asks: bool) -> None:
        """Ask for a run; ``request`` is the JSON of a ``Request``.

        Raises ``OSError`` when the server is gone, ``ValueError`` for a variable whose name no JSON can hold.
        """
        self.asks = asks
        found = os.stat(cwd)
        around = {
            "compared": hashes(os.environ, self.hello["compared"], self.hello["nonce"]),
            "named": states(os.environ, self.hello["named"]),
            "directory": [found.st_dev, found.st_ino],
            "umask": current_umask(),
        }
        head = _line({"type": "call", "version": __version__, "around": around, "asks": asks})
        # The request is JSON already, and may be large: joined, not decoded.
        self.connection.sendall(head[:-2] + b',"request":' + request + b"}\n")

    def read(self) -> list[bytes]:
        """The lines that have come; waits for some bytes, not for a line. Raises ``EOFError`` when the server is gone."""
        try:
            piece = self.connection.recv(_READ_BYTES)
        except ConnectionError:
            piece = b""
        if not piece:
            raise EOFError
        first, *others = piece.split(b"\n")
        # In pieces: joining a line of many megabytes anew for each of its parts would take minutes.
        self._rest.append(first)
        lines = []
        for other in others:
            lines.append(b"".join(self._rest))
            self._rest = [other]
        return lines


def quick_folder(env: Mapping[str, str]) -> str | None:
    """The folder with a server's socket; ``None`` where only ``Installation.paths`` can tell."""
    return quick_paths.serve_folder(env)


def reach(folder: str) -> Link | None:
    """A connection to the server with its socket in ``folder``, ``None`` where there is none that can be trusted."""
    try:
        connection = LocalEndpoint(folder).connect()
    except OSError:
        return None
    try:
        connection.settimeout(_HELLO_S)
        hello = _first_line(connection)
        connection.settimeout(None)
    except (OSError, ValueError, EOFError):
        connection.close()
        return None
    return Link(connection, hello)


def _first_line(connection: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        piece = connection.recv(_READ_BYTES)
        if not piece or len(data) > _MAX_HELLO_BYTES:
            raise EOFError
        data += piece
    hello = json.loads(data)
    if not isinstance(hello, dict) or hello.get("type") != "hello":
        raise ValueError("no hello")
    if hello.get("version") != __version__:
        # VendorError, so that `oneseat status` can tell why nobody uses the server any more.
        connection.sendall(_line({"type": "leave", "why": f"the command is oneseat {__version__}"}))
        raise ValueError("another version")
    return hello


def _line(message: dict[str, object]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
