"""The examples are run as they are, on the simulator, with the settings that lie beside them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import Answer, Simulator, Structured, Text

from .driving import Seat

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    seat = Seat(tmp_path, claude_path, simulator)
    config = seat.home / "config"
    config.mkdir(parents=True)
    (config / "oneseat.toml").write_text((EXAMPLES / "roles.toml").read_text("utf-8"), "utf-8")
    return seat


def test_each_role_of_the_example_goes_where_its_comment_says(seat: Seat) -> None:
    def chosen(*arguments: str) -> str:
        told = seat.run("route", *arguments)
        assert told.code == 0, told
        return told.stdout.strip()

    assert chosen("--role", "bulk", "Sort this") == "openai-compatible llama3.3 (api_key `local`)"
    assert chosen("--role", "bulk", "x" * 12_000) == "claude-cli haiku (plan)"
    assert chosen("--role", "reasoning", "Prove it") == "claude-cli opus (plan)"
    assert chosen("--role", "code", "--tools", "edit", "Mend it") == "claude-cli sonnet (plan)"


def test_messages_are_sorted_cheaply_and_the_urgent_ones_thought_about(
    seat: Seat, simulator: Simulator
) -> None:
    sorted_as = Answer(content=(Structured({"topic": "complaint", "urgent": True}),))
    simulator.script("sorting", [sorted_as, Answer(content=(Text("Dear customer, we are on it."),))])
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("sorting", "mail")
    messages = seat.root / "messages.txt"
    messages.write_text("The roof leaks again!\n", "utf-8")
    done = subprocess.run(
        [sys.executable, EXAMPLES / "sort_messages.py", messages],
        env=seat.env,
        cwd=seat.cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert first == "'The roof leaks again!': complaint (openai-compatible, simulator, $0.0000)"
    assert second == "  Dear customer, we are on it. (claude-cli, simulator, $0.0000)"
    assert [request.on_plan for request in simulator.messages("mail")] == [False, True]
    seat.assert_nothing_left()


def fetch(url: str, body: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_dashboard_answers_its_owner_and_nobody_else(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("ok", "desk")
    desk = subprocess.Popen(
        [sys.executable, EXAMPLES / "dashboard.py", "reasoning", "bulk"],
        env=seat.env,
        cwd=seat.cwd,
        stdout=subprocess.PIPE,
        text=True,
    )
    with desk:
        try:
            assert desk.stdout is not None
            found = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+)/\?key=(\S+)\n", desk.stdout.readline())
            assert found is not None
            base, key = found.groups()
            status, page = fetch(f"{base}/?key={key}")
            assert (status, "<option>reasoning</option><option>bulk</option>" in page) == (200, True)
            question = {"role": "reasoning", "prompt": "hi"}
            status, told = fetch(f"{base}/ask", question, X_Key=key)
            answer: dict[str, Any] = json.loads(told)
            assert (status, answer["text"], answer["error"]) == (200, "ok from the simulator", None)
            assert answer["paid"].startswith("claude-cli · ")
            _, told = fetch(f"{base}/ask", {"role": "painting", "prompt": "hi"}, X_Key=key)
            assert "Unknown role: `painting`" in json.loads(told)["error"]
            asked = len(simulator.messages("desk"))
            # Without the key, with another one, and from a page that made the browser believe another name is here.
            assert fetch(base)[0] == 403
            assert fetch(f"{base}/ask", question, X_Key="guessed")[0] == 403
            assert fetch(f"{base}/ask", question, X_Key=key, Host="evil.example")[0] == 403
            assert len(simulator.messages("desk")) == asked == 1
        finally:
            desk.send_signal(signal.SIGINT)
    seat.assert_nothing_left()
