"""Failures that pass: repeated by oneseat as its owner sees it, with the real CLI and what the vendor really received."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import Answer, Behaviour, Failure, Limits, Simulator, Text, ToolUse
from oneseat.testing.fake_cli import Exit, Say
from tests.e2e.driving import Done, Seat, fake_seat
from tests.e2e.projects import with_project

#: One request for each attempt, and no waiting: what is counted here are oneseat's own attempts.
#: Which failures pass is decided by rules, which have a test for each of them. Here is one of each way that it goes on.
AT_ONCE = "claude.max_retries = 0\nretry.max_wait_s = 0\n"


def playing(root: Path, claude_path: Path, simulator: Simulator, play: str, settings: str = AT_ONCE) -> Seat:
    seat = Seat(root, claude_path, simulator, play)
    (seat.cwd / "oneseat.toml").write_text(settings, "utf-8")
    return seat


def events_of(seat: Seat, ended: Done, *kinds: str) -> list[dict[str, Any]]:
    shown = seat.run("show", ended.result["run_id"], "--events").stdout
    events = [json.loads(line)["event"] for line in shown.splitlines()]
    return [event for event in events if event["type"] in kinds]


@pytest.mark.parametrize(
    ("play", "requests", "cause"),
    [
        ("server-error:2", 3, "provider.server_error"),
        ("reset-once", 2, "provider.unreachable"),
        ("rate-limited-once", 2, "limit.rate_limited"),
    ],
)
def test_a_failure_that_passes_is_repeated(
    play: str, requests: int, cause: str, tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = playing(tmp_path, claude_path, simulator, play)
    ended = seat.run("run", "hello", "--json")
    result, receipt = ended.result, ended.result["receipt"]
    assert (ended.code, result["text"], len(simulator.messages())) == (0, "ok from the simulator", requests)
    assert (receipt["attempts"], receipt["verdict"], receipt["usage"]["input_tokens"]) == (
        requests,
        "verified",
        10,
    )
    assert receipt["equivalent_cost_usd"] > 0
    # The gate is asked anew before each attempt, and what happened is in the ledger.
    told = events_of(seat, ended, "wallet_verified", "retry")
    assert [event["type"] for event in told] == [
        "wallet_verified",
        *["retry", "wallet_verified"] * (requests - 1),
    ]
    assert [
        (event["by"], event["cause"], event["attempt"]) for event in told if event["type"] == "retry"
    ] == [("oneseat", cause, number) for number in range(1, requests)]
    seat.assert_nothing_left()


@pytest.mark.parametrize(
    ("play", "attempts", "code", "error"),
    [
        ("overloaded", 3, 7, "provider.overloaded"),
        ("unauthorized", 1, 7, "provider.auth_rejected"),
        ("limit-five-hour", 1, 5, "limit.five_hour"),
        ("rate-limited-retry-after", 3, 5, "limit.rate_limited"),
        ("overage", 1, 4, "billing.overage"),
        ("refusal", 1, 8, "incomplete.refused"),
    ],
)
def test_nothing_is_repeated_without_end_and_nothing_that_does_not_pass(
    play: str, attempts: int, code: int, error: str, tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = playing(tmp_path, claude_path, simulator, play)
    ended = seat.run("run", "hello", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (code, error)
    assert ended.result["receipt"]["attempts"] == attempts
    assert len(events_of(seat, ended, "wallet_verified")) == attempts
    # A rejected login and a refusal are asked about once more by the CLI itself, whatever its own retries are set to.
    assert len(simulator.messages()) == (2 if play in {"unauthorized", "refusal"} else attempts)


ACTS_THEN_FAILS = (
    Answer(content=(ToolUse("Bash", {"command": "echo acted >> acted.txt", "description": "Note it"}),)),
    Failure(status=529, kind="overloaded_error", message="Overloaded"),
    Answer(content=(Text("done"),)),
)


def test_a_run_in_which_a_tool_acted_is_not_repeated(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    simulator.script("acts", ACTS_THEN_FAILS)
    seat = playing(tmp_path, claude_path, simulator, "acts")
    ended = seat.run(
        "run",
        "hello",
        "--json",
        "--tools",
        "Bash",
        "--permission-mode",
        "acceptEdits",
        "--fallback-model",
        "haiku",
    )
    assert (ended.code, ended.result["error"]["code"]) == (7, "provider.overloaded")
    assert (ended.result["receipt"]["attempts"], len(simulator.messages())) == (1, 2)
    assert (seat.cwd / "acted.txt").read_text() == "acted\n"


def test_a_tool_that_was_not_allowed_did_not_act(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    simulator.script("asks", ACTS_THEN_FAILS)
    seat = playing(tmp_path, claude_path, simulator, "asks")
    ended = seat.run("run", "hello", "--json", "--tools", "Bash")
    assert (ended.code, ended.result["text"], ended.result["denials"]) == (0, "done", ["Bash"])
    assert (ended.result["receipt"]["attempts"], len(simulator.messages())) == (2, 3)
    assert not (seat.cwd / "acted.txt").exists()


def test_a_cli_that_was_killed_is_not_started_again(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, Behaviour(on_user=(Say("half"), Exit(128 + signal.SIGKILL))))
    ended = seat.run("run", "hello", "--json")
    assert (ended.code, ended.result["error"]["code"], ended.result["text"]) == (7, "provider.killed", "half")
    assert len(cli.starts()) == 1


@pytest.mark.parametrize(
    ("play", "cause"),
    [
        ("overloaded:1", "provider.overloaded"),
        ("not-found:2", "provider.model_not_found"),
    ],
)
def test_another_model_answers_in_place_of_the_first_and_it_is_said(
    play: str, cause: str, tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = playing(tmp_path, claude_path, simulator, play)
    ended = seat.run("run", "hello", "--stream-json", "--model", "opus", "--fallback-model", "haiku")
    *events, result = ended.lines
    assert (ended.code, result["text"]) == (0, "ok from the simulator")
    assert [str(request.model).split("-")[1] for request in simulator.messages()][-2:] == ["opus", "haiku"]
    assert [event for event in events if event["type"] == "model_fallback"] == [
        {"type": "model_fallback", "model": "opus", "fallback": "haiku", "cause": cause, "by": "oneseat"}
    ]
    assert "haiku" in result["receipt"]["model"]
    assert {"what": "model_fallback", "value": "haiku", "when": "during"} in result["receipt"]["evidence"]


def test_a_fallback_of_a_project_is_its_own_and_a_person_hears_of_it(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = with_project(
        Seat(tmp_path, claude_path, simulator, "limit-opus:1"), AT_ONCE, fallback_model="haiku"
    )
    ended = seat.run("run", "--project", "shop", "hello")
    assert (ended.code, ended.stdout) == (0, "ok from the simulator\n")
    assert "note: model `haiku` answers instead of `sonnet`: limit.seven_day_opus" in ended.stderr


def test_without_a_fallback_no_other_model_is_asked(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    ended = playing(tmp_path, claude_path, simulator, "limit-opus").run("run", "hello", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (5, "limit.seven_day_opus")
    assert len(simulator.messages()) == 1


def test_a_signal_during_a_pause_ends_the_run_at_once(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    # The window is reset in three hours, which this owner is willing to wait for.
    patient = "claude.max_retries = 0\nretry.max_wait_s = 86400\nrun.timeout_s = 100000\n"
    seat = playing(tmp_path, claude_path, simulator, "limit-five-hour", patient)
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until('"by":"oneseat"')
        # Nothing is held while it waits: the process of the attempt is gone.
        assert [process.pid for process in seat.processes()] == [live.pid]
        live.signal()
        ended = live.finish()
    result = ended.lines[-1]
    assert (ended.code, result["error"]["code"], result["receipt"]["attempts"]) == (130, "cancelled", 1)
    assert [run["status"] for run in seat.runs()] == ["cancelled"]
    seat.assert_nothing_left()


def test_a_window_that_is_reset_soon_is_waited_for_and_asked_once(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    full = Failure(
        status=429, kind="rate_limit_error", message="full", limits=Limits(status="rejected", resets_in_s=1)
    )
    simulator.script("sticks", (full,))
    seat = playing(tmp_path, claude_path, simulator, "sticks", "claude.max_retries = 0\n")
    ended = seat.run("run", "hello", "--json")
    # It is still full after its own reset: asked once more, and not again and again.
    assert (ended.code, ended.result["error"]["code"]) == (5, "limit.five_hour")
    assert (ended.result["receipt"]["attempts"], len(simulator.messages())) == (2, 2)
