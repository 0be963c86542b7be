"""What is no command of this version ends its own connection, with a reason, and nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.contract.protocol import Answer, AskStatus, AskStop, Call, Cancel, FromClient, Leave
from oneseat.host.endpoint import UnixEndpoint
from oneseat.host.variable_hashes import hashes, states
from oneseat.serve.daemon.channel import AlienError, Channel
from oneseat.testing import Behaviour
from oneseat.testing.fake_cli import Replay, Result, Say
from oneseat.version import __version__
from tests.e2e.driving import Seat, fake_seat
from tests.e2e.serving import serving, status

KINDS = (Answer, AskStatus, AskStop, Call, Cancel, Leave)


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("ok"), Result("ok"))))
    yield seat
    seat.assert_nothing_left()


@settings(deadline=None)  # each example has an event loop of its own
@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda text: json.dumps({"type": text}).encode()))
def test_any_line_is_a_message_or_refused_without_being_repeated(line: bytes) -> None:
    async def read() -> FromClient | AlienError:
        reader = asyncio.StreamReader()
        reader.feed_data(line.replace(b"\n", b"") + b"\n")
        reader.feed_eof()
        try:
            return await Channel(reader, None).receive()  # type: ignore[arg-type]
        except AlienError as error:
            return error

    said = asyncio.run(read())
    if isinstance(said, AlienError):
        assert said.info.code == "usage.bad_message"
        assert said.info.message.endswith("`a line is not a message of this version`")
    else:
        assert isinstance(said, KINDS)


@contextmanager
def connection(seat: Seat) -> Iterator[tuple[socket.socket, dict[str, Any]]]:
    """A connection that has heard hello."""
    with UnixEndpoint(str(seat.home / "state" / "serve")).connect() as link:
        link.settimeout(30)
        yield link, line_of(link)


def line_of(link: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        piece = link.recv(65536)
        assert piece, data
        data += piece
    decoded: dict[str, Any] = json.loads(data)
    return decoded


def call(seat: Seat, hello: dict[str, Any], request: object) -> bytes:
    """A call that the server takes, of a command in this seat's surroundings."""
    found = seat.cwd.stat()
    around = {
        "compared": hashes(seat.env, hello["compared"], hello["nonce"]),
        "named": states(seat.env, hello["named"]),
        "directory": [found.st_dev, found.st_ino],
        "umask": 0o022,
    }
    message = {"type": "call", "version": __version__, "around": around, "asks": False, "request": request}
    return msgspec.json.encode(message) + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\n",
        b"\x00\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"type":"call","version":"0.1.0"}\n',
        b'{"type":"answer","id":"1","allowed":true,"why":""}\n',
        b'{"type":"hello"}\n',
        pytest.param(b"x" * (64 * 1024 * 1024 + 1), id="oversized"),
    ],
)
def test_an_alien_message_ends_its_connection_and_nothing_else(line: bytes, seat: Seat) -> None:
    with serving(seat):
        with connection(seat) as (link, _):
            link.sendall(line)
            broken = line_of(link)
            assert (broken["type"], broken["error"]["code"]) == ("broken", "usage.bad_message")
            assert link.recv(10) == b""
        assert seat.run("run", "say ok").stdout == "ok\n"


def test_a_call_that_is_no_request_begins_nothing(seat: Seat) -> None:
    with serving(seat):
        with connection(seat) as (link, hello):
            link.sendall(call(seat, hello, {"prompt": 1}))
            assert line_of(link)["error"]["code"] == "usage.bad_message"
        assert seat.runs() == []


def test_a_command_of_another_version_does_its_run_itself(seat: Seat) -> None:
    with serving(seat):
        with connection(seat) as (link, hello):
            other = call(seat, hello, {"prompt": "hi", "cwd": str(seat.cwd)}).replace(
                __version__.encode(), b"9.9.9"
            )
            link.sendall(other)
            assert line_of(link) == {
                "type": "declined",
                "why": f"the command is oneseat 9.9.9, the server {__version__}",
            }
        with connection(seat) as (link, _):
            link.sendall(b'{"type":"leave","why":"the command is oneseat 9.9.9"}\n')
            assert link.recv(10) == b""
        assert status(seat)["last_cold"]["why"] == "the command is oneseat 9.9.9"


def test_a_directory_of_another_machine_is_not_taken_for_ours(seat: Seat) -> None:
    with serving(seat), connection(seat) as (link, hello):
        found = f"[{seat.cwd.stat().st_dev},{seat.cwd.stat().st_ino}]".encode()
        line = call(seat, hello, {"prompt": "hi", "cwd": str(seat.cwd)})
        assert found in line
        link.sendall(line.replace(found, b"[1,2]"))
        assert "a different directory for the server" in line_of(link)["why"]


def test_a_client_that_does_not_read_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    delta = {"type": "text_delta", "text": "x" * 100_000}
    event = {"type": "content_block_delta", "index": 0, "delta": delta}
    words = {"type": "stream_event", "session_id": "s", "event": event}
    recorded.write_text((json.dumps(words) + "\n") * 300, "utf-8")
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("ok"), Replay(str(recorded)), Result("ok"))))
    with serving(seat) as live, connection(seat) as (link, hello):
        link.sendall(call(seat, hello, {"prompt": "hi", "cwd": str(seat.cwd)}))
        assert line_of_type(link, "accepted")
        # 30 MB for a client that reads no more: the others are served, and it gets all of it when it wakes up.
        assert seat.run("run", "--quiet", "--json", "say ok").result["status"] == "completed"
        (run,) = status(seat)["runs"]
        assert live.process.poll() is None
        heard = b""
        while b'"type":"finished"' not in heard[-2_000_000:]:
            piece = link.recv(1 << 20)
            assert piece
            heard += piece
        assert len(heard) > 30_000_000
        assert run["id"].encode() in heard
    seat.assert_nothing_left()


def line_of_type(link: socket.socket, kind: str) -> bool:
    data = b""
    while b"\n" not in data:
        data += link.recv(1000)
    return f'"type":"{kind}"'.encode() in data
