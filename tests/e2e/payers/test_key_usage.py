"""Keys whose server does not say what a request used, or says what cannot be true: no run is free, no budget is left open."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.driving import SDKS, Done, Seat

SETTINGS = """
[keys.work]
provider = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
model = "m"
day_budget_usd = 0.02
[prices.m]
input = 1.0
output = 2.0
"""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    usage: Any = None


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "m", "created": 1}
        choice = {"index": 0, "delta": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
        last = {"choices": []} | ({} if self.server.usage is None else {"usage": self.server.usage})
        for piece in ({"choices": [choice]}, last):
            self.wfile.write(f"data: {json.dumps(chunk | piece)}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def seat(tmp_path: Path, server: _Server) -> Seat:
    seat = Seat(tmp_path, tmp_path / "no-claude")
    seat.loads = SDKS
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True)
    path.write_text(SETTINGS, "utf-8")
    seat.env["ONESEAT_SIMULATOR_URL"] = f"http://127.0.0.1:{server.server_address[1]}"
    return seat


def go(seat: Seat) -> Done:
    return seat.run("run", "say ok", "--key", "work", "--json")


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": -1_000_000, "completion_tokens": -5_000_000},
        {"prompt_tokens": 10**30, "completion_tokens": 2**63},
        {"prompt_tokens": 1e308, "completion_tokens": 12.5},
        {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10},
        {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1000}},
    ],
)
def test_an_answer_without_a_count_is_unverified_and_stays_in_the_budget(
    seat: Seat, server: _Server, usage: Any
) -> None:
    server.usage = usage
    ended = go(seat)
    receipt = ended.result["receipt"]
    assert (ended.code, ended.result["text"]) == (0, "hello")
    assert (receipt["equivalent_cost_usd"], receipt["verdict"]) == (None, "unverified")
    assert receipt["usage"]["output_tokens"] is None
    told = {one["what"]: one["value"] for one in receipt["evidence"]}
    assert told["tokens.reported"] is False
    refused = [go(seat) for _ in range(2)][-1]
    assert refused.code == 3
    assert refused.result["error"]["code"].startswith("budget.")
    assert seat.run("usage").code == 0


def test_a_count_keeps_the_budget_open(seat: Seat, server: _Server) -> None:
    server.usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    for _ in range(3):
        receipt = go(seat).result["receipt"]
        assert (receipt["equivalent_cost_usd"], receipt["verdict"]) == (0.000016, "verified")
