"""The way of `oneseat run` to a server: the same request as the parser's, and nothing loaded that it does not need."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.cli.commands import run as run_command
from oneseat.cli.options import request as request_options
from oneseat.contract import events
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.protocol import Broken, Call, FromServer, Hello, Spoken, Watched
from oneseat.contract.request import Request
from oneseat.fast import run as fast_lane
from oneseat.host.endpoint import UnixEndpoint
from oneseat.version import __version__
from tests.e2e.driving import Seat

HELLO = Hello(
    version=__version__,
    pid=1,
    nonce="00" * 16,
    compared=Watched(names=("HOME", "PATH"), prefixes=("LC_", "ONESEAT_")),
    named=Watched(names=("ANTHROPIC_API_KEY",), prefixes=("CLAUDE_CODE_USE_",)),
)
WORDS = st.sampled_from(["x y", "-x y", "", " ", "\udcff", "opus", "-", "--"]) | st.sampled_from(
    [
        "--json",
        "--stream-json",
        "-q",
        "--quiet",
        "--system",
        "--model",
        "--fallback-model",
        "--model=opus",
        "--file",
        "--cold",
        "--help",
    ]
)


@pytest.fixture(scope="module")
def nothing() -> Iterator[IO[str]]:
    with Path(os.devnull).open(encoding="utf-8") as stream:
        yield stream


@settings(deadline=None)  # the first example pays for what the parser loads
@given(arguments=st.lists(WORDS, max_size=5))
def test_a_plain_form_means_what_the_parser_takes_it_for(nothing: IO[str], arguments: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_lane, "_stdin", lambda: "piped")
        patch.setattr(request_options, "_stdin", lambda: b"piped")
        patch.setattr("sys.stdin", nothing)
        plain = fast_lane.read_plain(arguments)
        request = None if plain is None else fast_lane._request(plain, str(Path.cwd()))
        if plain is None or request is None:
            return
        heard: list[Any] = []

        def on_server(made: Request, output: Any) -> int:
            heard.append((made, output))
            return 0

        patch.setattr(run_command, "_on_server", on_server)
        assert run_command.command.main(list(arguments), standalone_mode=False) == 0
        assert heard == [(msgspec.json.decode(request, type=Request), plain.output)]


def test_most_command_lines_are_plain() -> None:
    for arguments in (
        ["hi"],
        ["-q", "hi"],
        ["--json", "hi"],
        ["hi", "--model", "opus"],
        ["--system", "Short", "hi"],
    ):
        plain = fast_lane.read_plain(arguments)
        assert plain is not None
        assert fast_lane._request(plain, "/") is not None


def test_every_event_can_come_from_a_server() -> None:
    kinds = [
        kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)
    ]
    assert {kind for kind in kinds if kind is not events.Event} <= set(FromServer.__args__)


@contextmanager
def listening(seat: Seat, answers: Sequence[Spoken]) -> Iterator[list[dict[str, Any]]]:
    """A stand-in for the server that says hello, hears one line, and looks at the process while it says it."""
    seat.home.mkdir()
    (seat.home / "state").mkdir()
    door = UnixEndpoint(str(seat.home / "state" / "serve"))
    heard: list[dict[str, Any]] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(msgspec.json.encode(HELLO) + b"\n")
            pid = int.from_bytes(
                connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little"
            )
            line = connection.recv(1)
            look = looks(pid)
            while not line.endswith(b"\n"):
                line += connection.recv(65536)
            heard.append({"said": json.loads(line), **look})
            for answer in answers:
                connection.sendall(msgspec.json.encode(answer) + b"\n")

    with door.listen() as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield heard
        thread.join()


def looks(pid: int) -> dict[str, Any]:
    """The time a process has had the processor, in seconds, and the libraries in its memory."""
    return {
        "cpu_s": int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9,
        "maps": Path(f"/proc/{pid}/maps").read_text(),
    }


def test_a_request_is_on_its_way_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    seat = Seat(tmp_path, Path("/bin/false"))
    seat.load_anew()
    # More than a socket holds: the command cannot go on before the stand-in has looked at it.
    prompt = "say ok " * 200_000
    with listening(seat, [Broken(error=ErrorInfo(code="provider.api", message="Enough"))]) as heard:
        done = seat.run("run", "--json", stdin=prompt.encode())
    assert (done.code, done.result["error"]["message"]) == (7, "Enough")
    (look,) = heard
    call = msgspec.json.decode(msgspec.json.encode(look["said"]), type=Call)
    assert (call.version, msgspec.json.decode(call.request, type=Request).prompt) == (__version__, prompt)
    assert call.around.compared.keys() >= {"HOME", "PATH", "ONESEAT_HOME"}
    loaded = [name for name in ("msgspec", "psutil", "_sqlite3", "_asyncio") if f"/{name}" in look["maps"]]
    assert loaded == []


@pytest.mark.parametrize(
    ("arguments", "budget_s"), [(["--version"], 0.08), (["--help"], 0.2), (["run", "hi"], 0.08)]
)
def test_a_command_starts_within_its_budget_of_processor_time(
    arguments: list[str], budget_s: float, tmp_path: Path
) -> None:
    def once(number: int) -> float:
        root = tmp_path / str(number)
        root.mkdir()
        seat = Seat(root, Path("/bin/false"))
        if arguments[0] != "run":
            before = os.times()
            assert seat.run(*arguments).code == 0
            after = os.times()
            return after.children_user + after.children_system - before.children_user - before.children_system
        with listening(seat, [Broken(error=ErrorInfo(code="provider.api", message="Enough"))]) as heard:
            seat.run(*arguments)
        return float(heard[0]["cpu_s"])

    # The least of a few: what a busy machine adds is not the command's.
    assert min(once(number) for number in range(5)) <= budget_s
