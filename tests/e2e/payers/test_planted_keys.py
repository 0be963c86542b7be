"""An API key reaches the endpoint that needs it and nothing else: no file, output, log, error, command line or other provider."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from oneseat.app.runs import opened_reader
from oneseat.contract.history import RunFilter
from oneseat.installation import Installation
from oneseat.testing import Answer, Behaviour, Simulator, Text, ToolRound, ToolUse
from tests.e2e.driving import Done, Seat, fake_seat

from .test_keys import choose, settings
from .test_planted_secrets import Watch, forms

#: Put together here, so that no file holds anything that looks like one. It has the shape of no vendor's key on purpose: what
#: is known by its shape is taken out everywhere anyhow.
KEY = "pl4nted" + "/key+that=looks.like-nothing"
#: The header in which each vendor takes a key.
PROVIDERS = {"openai-compatible": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}


class Echo(ThreadingHTTPServer):
    """An endpoint that repeats what it was given, in whatever way ``says`` asks for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[dict[str, str]] = []
        self.says = "rejected"


class _Handler(BaseHTTPRequestHandler):
    server: Echo

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append(headers)
        everything = json.dumps(headers)
        if self.server.says == "rejected":
            body = json.dumps({"error": {"message": f"Incorrect API key: {everything}", "type": "auth"}})
            self._send(401, "application/json", body)
        elif self.server.says == "html":
            self._send(500, "text/html", f"<html><!-- {everything} --></html>")
        else:
            self._send(200, "text/event-stream", f"data: {everything}\n\ndata: not json {everything}\n\n")

    def _send(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def seat_with_key(root: Path, provider: str, place: str, url: str) -> Seat:
    seat, _ = fake_seat(root, Behaviour())
    del seat.env["ONESEAT_SIMULATOR_URL"]
    choose(seat, "InFile")
    # Beside the homes, as a keyring is.
    seat.env["TEST_KEYRING"] = str(root / "keyring.json")
    seat.env |= {"ONESEAT_LOG": "debug", "ONESEAT_LOG_FILE": str(seat.root / "oneseat.log")}
    where = {"env": ["--env", "WORK_ACCOUNT"], "file": ["--file", str(root / "keys" / "work")], "keyring": []}
    ended = seat.run(
        *("key", "set", "work", "--provider", provider, "--base-url", url, *where[place]), stdin=KEY.encode()
    )
    assert ended.code == 0, ended
    if place == "env":
        seat.env["WORK_ACCOUNT"] = KEY
    with settings(seat).open("a", encoding="utf-8") as more:
        more.write("[retry]\nmax_attempts = 1\n")
    return seat


def assert_nowhere(seat: Seat, watch: Watch, *ended: Done) -> None:
    written = [path for path in (seat.root / "oneseat.log", *seat.home.rglob("*")) if path.is_file()]
    assert any(path.name == "runs.db" for path in written)
    places = {str(path): path.read_bytes() for path in written}
    for number, each in enumerate(ended):
        places[f"output {number}"] = (each.stdout + each.stderr).encode()
    with opened_reader(Installation(seat.env)) as ledger:
        (newest, *_) = ledger.runs(RunFilter())
    places["show"] = seat.run("show", newest.id, "--events").stdout.encode()
    places |= {f"a command line or temporary file: {data[:80]!r}": data for data in watch.seen}
    assert [place for place, data in places.items() if any(form in data for form in forms(KEY))] == []


@pytest.mark.parametrize(
    ("provider", "place", "says"),
    [
        ("openai-compatible", "env", "garbage"),
        ("anthropic", "file", "rejected"),
        ("gemini", "keyring", "html"),
    ],
)
def test_an_endpoint_that_repeats_the_key_is_not_repeated(
    provider: str, place: str, says: str, tmp_path: Path, echo: Echo
) -> None:
    echo.says = says
    url = f"http://127.0.0.1:{echo.server_address[1]}/v1"
    seat = seat_with_key(tmp_path, provider, place, url)
    with Watch(seat) as watch:
        failed = seat.run("run", "go", "--key", "work", "--model", "made-up", "--json")
    assert failed.code == 7, failed
    assert KEY in echo.got[0][PROVIDERS[provider]], echo.got
    assert_nowhere(seat, watch, failed)


def test_a_key_that_pays_for_an_answer_is_written_nowhere(tmp_path: Path, simulator: Simulator) -> None:
    seat = seat_with_key(tmp_path, "openai-compatible", "keyring", simulator.url("ok") + "/v1")
    with Watch(seat) as watch:
        answered = seat.run("run", "go", "--key", "work", "--model", "made-up", "--json")
    assert answered.code == 0, answered
    (request,) = simulator.messages()
    assert (request.auth, request.simulator_token) == (("bearer",), False)
    assert_nowhere(
        seat, watch, answered, seat.run("key", "list", "--json"), seat.run("config", "show", "--json")
    )


def test_the_official_cli_and_its_tools_never_see_a_key(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    # In a variable whose name says nothing, which the tool reads from the process that started the CLI.
    command = "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a WORK_ACCOUNT"
    call = ToolUse("Bash", {"command": command, "description": "d"})
    simulator.script("leak", [ToolRound(call=call, answer=Answer(content=(Text("done"),)))])
    seat = Seat(tmp_path, claude_path, simulator, "leak")
    seat.env |= {"ONESEAT_LOG": "debug", "ONESEAT_LOG_FILE": str(seat.root / "oneseat.log")}
    seat.run("key", "set", "work", "--provider", "openai", "--env", "WORK_ACCOUNT")
    seat.env["WORK_ACCOUNT"] = KEY
    with Watch(seat) as watch:
        answered = seat.run("run", "go", "--tools", "Bash", "--json")
    assert answered.code == 0, answered
    assert_nowhere(seat, watch, answered)


def test_a_planted_key_would_be_found(tmp_path: Path) -> None:
    seat = seat_with_key(tmp_path, "openai-compatible", "env", "http://127.0.0.1:9/v1")
    with Watch(seat) as watch:
        # Known from the start where it is in a variable, also in the text of a prompt.
        failed = seat.run("run", "--key", "work", "--model", "made-up", stdin=f"my key is {KEY}".encode())
    assert failed.code == 7
    assert_nowhere(seat, watch, failed)
    settings(seat).write_text(f"# {KEY}\n", "utf-8")
    with pytest.raises(AssertionError, match=r"oneseat\.toml"):
        assert_nowhere(seat, watch, failed)
