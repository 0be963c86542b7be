"""`oneseat run`: what is printed, where, in which form, and when."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from oneseat.testing import Answer, Behaviour, Echo, Failure, Simulator, Text
from oneseat.testing.fake_cli import Result, Say
from tests.e2e.driving import ONESEAT, Live, Seat, check_snapshot, fake_seat


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    return Seat(tmp_path, claude_path, simulator)


RESULT = ["run_id", "status", "text", "structured", "error", "session", "receipt"]
ERROR = ["code", "message", "hint", "whose_turn", "retry_after_s"]
RECEIPT = [
    *("provider", "model", "wallet", "expected_wallet", "verdict", "evidence", "usage", "cost_usd"),
    *("equivalent_cost_usd", "cost_source", "limits", "policy", "cli_version", "attempts", "first_token_ms"),
    *("duration_ms", "upstream_requests", "requested_model"),
]
LIMIT = ["window", "status", "used", "resets_at", "source", "read_at"]
USAGE = [
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
]


def test_json_is_one_line_with_the_promised_fields_in_their_order(seat: Seat, simulator: Simulator) -> None:
    simulator.script("echo-back", [Answer(content=(Echo(),))])
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("echo-back")
    ended = seat.run("run", 'ñ 日本 🦊 \x1b \u2028 "', "--json")
    result = ended.result
    receipt = result["receipt"]
    assert ended.code == 0
    assert "日本 🦊" in ended.stdout
    assert list(result) == RESULT
    assert list(receipt) == RECEIPT
    assert list(receipt["usage"]) == USAGE
    assert [list(evidence) for evidence in receipt["evidence"]] == [["what", "value", "when"]] * len(
        receipt["evidence"]
    )
    assert [list(limit) for limit in receipt["limits"]] == [LIMIT, LIMIT]
    assert list(receipt["policy"]) == ["tier", "rule", "pack", "confirmed", "expires"]
    assert (result["status"], result["text"]) == ("completed", 'ñ 日本 🦊 \x1b \u2028 "')
    assert (result["structured"], result["error"], result["session"]) == (None, None, None)
    assert (receipt["wallet"], receipt["expected_wallet"], receipt["verdict"]) == (
        "simulator",
        "simulator",
        "verified",
    )
    assert (receipt["provider"], receipt["attempts"], receipt["cost_usd"]) == ("claude-cli", 1, 0.0)
    assert receipt["equivalent_cost_usd"] > 0
    assert [limit["window"] for limit in receipt["limits"]] == ["five_hour", "seven_day"]
    assert receipt["upstream_requests"] is None
    assert 0 < receipt["first_token_ms"] <= receipt["duration_ms"]


def test_a_failed_run_prints_the_same_object_with_the_error_in_it(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("token-expired")
    ended = seat.run("run", "hello", "--json")
    assert (ended.code, list(ended.result), list(ended.result["error"])) == (7, RESULT, ERROR)
    assert ended.result["error"]["code"] == "provider.auth_rejected"
    assert ended.result["error"]["hint"] in ended.stderr


def test_stream_json_is_one_event_a_line_and_ends_with_the_result(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("thinking")
    lines = seat.run("run", "hello", "--stream-json").lines
    kinds = [line["type"] for line in lines]
    assert {"wallet_verified", "started", "thinking", "text_delta", "message", "usage", "limit_seen"} < set(
        kinds
    )
    assert kinds.index("wallet_verified") < kinds.index("started") < kinds.index("text_delta")
    assert kinds.count("result") == 1
    last = lines[-1]
    assert list(last) == ["type", *RESULT]
    assert "".join(line["text"] for line in lines if line["type"] == "text_delta") == last["text"]
    # The same object that --json prints: it is what the ledger keeps, and `show` gives it back.
    kept = seat.run("show", last["run_id"], "--json").result["result"]
    assert {"type": "result", **kept} == last


def test_text_is_printed_while_it_comes(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang-mid-stream")
    with seat.start("run", "hello") as live:
        # The stream never ends, so what is read here was printed before the end of the run.
        live.read_until("a stream")
        assert live.process.poll() is None
        live.signal()
        ended = live.finish()
    assert (ended.code, ended.stdout) == (130, "a stream\n")


@pytest.mark.parametrize(
    ("scenario", "first", "note", "answer"),
    [
        (
            "eof-mid-stream-once",
            "a stream",
            "the stream ended early; the answer starts again",
            "ok from the simulator",
        ),
        (
            "reset-after-block-once",
            "a finished blockaok from the simulator",
            "a part of this was sent twice; the complete answer follows",
            "a finished blockok from the simulator",
        ),
    ],
)
def test_what_was_printed_too_early_is_called_so(
    scenario: str, first: str, note: str, answer: str, seat: Seat, simulator: Simulator
) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url(scenario)
    ended = seat.run("run", "hello")
    # A busy CLI may see that the stream broke before it has passed on a word of it: then there is nothing to take back.
    early = "" if ended.stdout == f"{answer}\n" else f"{first}\n"
    assert (ended.code, ended.stdout) == (0, f"{early}{answer}\n")
    assert ended.stderr.startswith(f"note: {note}\nreceipt: " if early else "receipt: ")
    assert seat.run("show", seat.runs()[0]["id"], "--json").result["result"]["text"] == answer


def test_events_are_printed_while_they_come(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang-mid-stream")
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until('{"type":"text_delta","text":" stream"}\n')
        live.signal()
        ended = live.finish()
    assert (ended.lines[-1]["type"], ended.lines[-1]["text"], ended.lines[-1]["status"]) == (
        "result",
        "a stream",
        "cancelled",
    )


def test_the_receipt_is_one_line_on_stderr_and_the_answer_alone_on_stdout(seat: Seat) -> None:
    ended = seat.run("run", "hello")
    check_snapshot("run-answered", seat, ended)
    assert seat.runs()[0]["id"] in ended.stderr


def test_quiet_leaves_stderr_empty(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    ended = seat.run("run", "hello", "--quiet")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "ok from the fake\n", "")


def test_quiet_does_not_hide_an_error(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("overloaded")
    (seat.cwd / "oneseat.toml").write_text("[claude]\nmax_retries = 0\n")
    check_snapshot("run-overloaded", seat, seat.run("run", "hello", "--quiet"))


def test_the_whole_run_may_not_take_longer_than_said(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang")
    ended = seat.run("run", "hello", "--timeout", "2", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (6, "timeout.total")
    seat.assert_nothing_left()


def at_terminal(seat: Seat, *arguments: str, stdout: bool) -> tuple[int, str, str]:
    """Run with stderr (and stdout, when said) at a terminal: the exit code, the piped stdout, what the terminal was sent."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [ONESEAT, *arguments],
        env=seat.env,
        cwd=seat.cwd,
        stdin=subprocess.DEVNULL,
        stdout=slave if stdout else subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    with Live(arguments, process):
        # A terminal reports an error, not an end, when nobody holds its other side any more.
        with contextlib.suppress(OSError):
            while piece := os.read(master, 65536):
                shown += piece
        piped, _ = process.communicate()
    os.close(master)
    return process.returncode, (piped or b"").decode(), shown.decode()


def test_a_status_line_tells_the_time_on_a_terminal_and_leaves_no_trace(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    code, piped, shown = at_terminal(seat, "run", "hello", stdout=False)
    assert (code, piped) == (0, "ok from the fake\n")
    assert "checking the wallet … 0 s" in shown
    status, _, rest = shown.rpartition("\r\x1b[K")
    assert (bool(status), rest.startswith("receipt: "), rest.count("\n")) == (True, True, 1), shown


def test_quiet_shows_no_status_line_either(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    assert at_terminal(seat, "run", "hello", "--quiet", stdout=False) == (0, "ok from the fake\n", "")


def test_a_model_cannot_steer_the_terminal(seat: Seat, simulator: Simulator, tmp_path: Path) -> None:
    text = "\x1b]0;owned\x07 red\x1b[31m \x9b2J \x08\r\ttab\nñ 🦊"
    simulator.script("hostile", [Answer(content=(Text(text),))])
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hostile")
    code, _, shown = at_terminal(seat, "run", "hello", stdout=True)
    answer = shown.rpartition("\x1b[K")[2].partition("receipt: ")[0].replace("\r\n", "\n")
    assert (code, answer) == (0, "�]0;owned� red�[31m �2J ��\ttab\nñ 🦊\n")
    # Whichever CLI it comes from: piped, it is data, and data is not changed.
    root = tmp_path / "fake"
    root.mkdir()
    seat, _ = fake_seat(root, Behaviour(on_user=(Say(text), Result(text))))
    assert seat.run("run", "hello").stdout == text + "\n"
    # As JSON it says the same without a single control character.
    code, _, shown = at_terminal(seat, "run", "hello", "--json", "--quiet", stdout=True)
    assert (code, json.loads(shown)["text"]) == (0, text)
    assert all(char.isprintable() for char in shown.rstrip("\r\n"))


def test_a_provider_cannot_steer_the_terminal_with_its_errors(seat: Seat, simulator: Simulator) -> None:
    reply = Failure(status=400, kind="invalid_request_error", message="no \x1b]0;owned\x07 \x9b2J")
    simulator.script("hostile", [reply])
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hostile")
    ended = seat.run("run", "hello")
    assert (ended.code, "API Error: 400 no " in ended.stderr) == (7, True), ended.stderr
    # The CLI removes some of it since 2.1.332; what is left must do no harm.
    assert all(char.isprintable() or char == "\n" for char in ended.stderr)
