"""The simulator against the real `claude`: what the CLI makes of every scenario. The expectations are measured, on 2.1.329."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oneseat.testing import SCENARIOS, Answer, Failure, RecordedRequest, Simulator, Text

from .real_cli import Turn, take_turn


class Good(NamedTuple):
    """A turn the CLI calls a success. ``asked`` lists its requests: ``S`` streamed, ``W`` whole."""

    text: str
    asked: str = "S"


class Bad(NamedTuple):
    """A turn the CLI calls an error."""

    status: int | None
    error: str
    text: str
    asked: str = "S"
    reason: str = "api_error"


OK = "ok from the simulator"
BREAKS = "a stream that breaks after two words"
LOST = "The response above may be incomplete."
SERVER = "This is a server-side issue, usually temporary"

SUCCESSES = {
    "ok": Good(OK),
    "echo": Good("say ok"),
    "text:hello world": Good("hello world"),
    "thinking": Good("thought it through"),
    "tool-use": Good("the tool has run", "SS"),
    "structured": Good("{}"),
    "slow": Good("one two three four five six seven eight nine ten"),
    "huge": Good("oneseat " * (2 * 1024 * 1024 // 8)),
    "warning-five-hour": Good(OK),
    "warning-seven-day": Good(OK),
    "last-of-five-hour": Good(OK),
    "overage": Good(OK),
    "overloaded-once": Good(OK, "SS"),
    # A broken stream is asked for again, in the end without streaming: it may be paid twice or three times.
    "reset-mid-stream": Good(BREAKS, "SSW"),
    "reset-mid-stream-once": Good(OK, "SS"),
    "eof-mid-stream": Good(BREAKS, "SSW"),
    "error-mid-stream": Good(BREAKS, "SW"),
    # An answer that goes on in a second message: the result holds the last piece only.
    "reset-after-block-once": Good(OK, "SS"),
    "max-tokens-once": Good(OK, "SS"),
    # A request that is refused once is sent again, a little different or not.
    "bad-request-once": Good(OK, "SS"),
    "unauthorized-once": Good(OK, "SS"),
    # No answer at all is a success too.
    "empty": Good("", "SS"),
    "empty-text": Good("", "SS"),
    "thinking-only": Good("", "SS"),
}
FAILURES = {
    "limit-five-hour": Bad(429, "rate_limit", "You've hit your 5-hour limit · resets "),
    "plan-full": Bad(429, "rate_limit", "You've hit your 5-hour limit · resets "),
    "limit-seven-day": Bad(429, "rate_limit", "You've hit your weekly limit · resets "),
    "limit-opus": Bad(429, "rate_limit", "You've hit your Opus limit · resets "),
    "rate-limited": Bad(
        429, "rate_limit", "Server is temporarily limiting requests (not your usage limit)", "SS"
    ),
    "bad-request": Bad(400, "unknown", "API Error: 400 messages.0: ", "SSS"),
    "prompt-too-long": Bad(
        400, "invalid_request", "Prompt is too long · the request is ~210000 tokens", "S", "prompt_too_long"
    ),
    "credit-balance": Bad(400, "billing_error", "Credit balance is too low"),
    "unauthorized": Bad(
        401, "authentication_failed", "API Error: 401 OAuth authentication is currently not supported.", "SS"
    ),
    "token-expired": Bad(401, "authentication_failed", "API Error: 401 OAuth token has expired.", "SS"),
    "invalid-api-key": Bad(401, "authentication_failed", "Not logged in · Please run /login", "SS"),
    "token-revoked": Bad(403, "authentication_failed", "OAuth token revoked", "SS"),
    "forbidden": Bad(
        403, "authentication_failed", "API Error: 403 Your account does not have access to Claude."
    ),
    "not-found": Bad(404, "model_not_found", "There's an issue with the selected model", "SW"),
    "too-large": Bad(413, "invalid_request", "Request too large (max 32MB).", "S", "image_error"),
    "server-error": Bad(500, "server_error", SERVER, "SS"),
    "unavailable": Bad(503, "server_error", SERVER, "SS"),
    "overloaded": Bad(529, "server_error", SERVER, "SS"),
    "reset": Bad(None, "server_error", "Connection dropped (ECONNRESET)", "SS"),
    "reset-after-block": Bad(None, "server_error", f"Connection lost mid-response. {LOST}", "SSSS"),
    "eof-after-block": Bad(None, "server_error", f"Connection lost mid-response. {LOST}", "SSSS"),
    "error-after-block": Bad(None, "server_error", f"Server error mid-response. {LOST}", "SSSS"),
    "html": Bad(None, "unknown", "API returned an empty or malformed response (HTTP 200)", "SW"),
    "max-tokens": Bad(None, "max_output_tokens", "exceeded the 32000 output token maximum", "SSSS"),
    "context-window": Bad(
        None, "max_output_tokens", "The model has reached its context window limit.", "SSSS"
    ),
    "refusal": Bad(None, "invalid_request", "can't help with this", "SS"),
}
#: Played in tests of their own below, or too long to wait for: those are what time limits of ours are tested with.
ELSEWHERE = {
    "text", "tool-loop", "structured-bad", "structured-text", "rate-limited-retry-after", "hang", "hang-mid-stream", "pings"
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["answer", "tags"],
}


def shape(records: list[RecordedRequest]) -> str:
    """How each request asked: ``S`` streamed, ``W`` whole."""
    return "".join("S" if record.body.get("stream") else "W" for record in records)


class Player:
    """Plays scenarios on one simulator with the real CLI, and checks what is true of every turn."""

    def __init__(self, cli: Path, home: Path, simulator: Simulator) -> None:
        self._cli = cli
        self._home = home
        self.simulator = simulator

    def play(self, scenario: str, **options: Any) -> Turn:
        turn = take_turn(self._cli, self._home, self.simulator.url(scenario, "turn"), **options)
        assert turn.stderr == ""
        assert {(record.auth, record.simulator_token) for record in self.simulator.messages()} == {
            (("bearer",), True)
        }
        return turn

    @property
    def asked(self) -> str:
        return shape(self.simulator.messages("turn"))


@pytest.fixture
def player(claude_path: Path, scratch_environment: Path, simulator: Simulator) -> Player:
    return Player(claude_path, scratch_environment, simulator)


def test_every_scenario_meets_the_real_cli() -> None:
    assert {*SCENARIOS} - {*SUCCESSES} - {*FAILURES} == ELSEWHERE


@pytest.mark.parametrize("scenario", SUCCESSES)
def test_a_success(player: Player, scenario: str) -> None:
    turn, expected = player.play(scenario), SUCCESSES[scenario]
    assert (turn.result["is_error"], turn.result["api_error_status"], turn.code) == (False, None, 0)
    assert (turn.result["result"], player.asked) == expected
    assert turn.error_class is None


@pytest.mark.parametrize("scenario", FAILURES)
def test_a_failure(player: Player, scenario: str) -> None:
    turn, expected = player.play(scenario), FAILURES[scenario]
    result = turn.result
    assert (result["subtype"], result["is_error"], turn.code) == ("success", True, 1)
    assert expected.text in result["result"]
    found = (result["api_error_status"], turn.error_class, result["terminal_reason"])
    assert found == (expected.status, expected.error, expected.reason)
    # How often it asks again after a whole block depends on how busy the machine is (measured: 3 to 5 requests).
    often = {"SSS", "SSSS", "SSSSS"} if scenario == "eof-after-block" else {expected.asked}
    assert player.asked in often


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("ok", {"status": "allowed", "rateLimitType": "five_hour", "isUsingOverage": False}),
        (
            "warning-five-hour",
            {"status": "allowed_warning", "rateLimitType": "five_hour", "utilization": 0.93},
        ),
        (
            "warning-seven-day",
            {"status": "allowed_warning", "rateLimitType": "seven_day", "utilization": 0.78},
        ),
        ("last-of-five-hour", {"status": "rejected", "rateLimitType": "five_hour", "isUsingOverage": False}),
        (
            "overage",
            {"status": "rejected", "overageStatus": "allowed", "isUsingOverage": True, "overageInUse": True},
        ),
        (
            "limit-five-hour",
            {"status": "rejected", "rateLimitType": "five_hour", "overageStatus": "rejected"},
        ),
        ("limit-seven-day", {"status": "rejected", "rateLimitType": "seven_day"}),
        ("limit-opus", {"status": "rejected", "rateLimitType": "seven_day_opus"}),
        ("rate-limited", {"status": "rejected", "isUsingOverage": False}),
    ],
)
def test_the_limits_in_the_headers_become_an_event(
    player: Player, scenario: str, expected: dict[str, Any]
) -> None:
    limit = player.play(scenario).limit
    assert limit is not None
    assert expected.items() <= limit.items()
    if scenario != "rate-limited":
        shares = limit["unifiedWindows"]
        assert 0 < shares["five_hour"]["utilization"] <= 1
        assert 0 < shares["seven_day"]["utilization"] <= 1


def test_deltas_come_through_one_by_one(player: Player) -> None:
    turn = player.play("ok", argv=("--include-partial-messages",))
    deltas = [line["event"].get("delta", {}).get("text") for line in turn.of("stream_event")]
    assert [delta for delta in deltas if delta is not None] == ["ok", " from", " the", " simulator"]


def test_usage_arrives_as_it_was_sent(player: Player) -> None:
    usage = player.play("ok").result["usage"]
    counts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert [usage[count] for count in counts] == [10, 100, 1000, 4]


def test_a_tool_really_runs(player: Player) -> None:
    turn = player.play("tool-use", argv=("--tools", "Bash", "--allowedTools", "Bash"))
    (result,) = [block for line in turn.of("user") for block in line["message"]["content"]]
    assert (result["content"], result["is_error"]) == ("tool ran", False)
    assert turn.result["result"] == "the tool has run"


def test_a_tool_loop_ends_at_the_limit_of_turns(player: Player) -> None:
    turn = player.play("tool-loop", argv=("--max-turns", "2"))
    assert (turn.result["subtype"], player.asked, turn.code) == ("error_max_turns", "SS", 1)


def test_a_structured_answer_fits_the_schema(player: Player) -> None:
    turn = player.play("structured", initialize={"jsonSchema": SCHEMA})
    assert turn.result["structured_output"] == {"answer": 1, "tags": ["text"]}
    assert player.asked == "S"


def test_a_wrong_structure_is_asked_for_five_times(player: Player) -> None:
    turn = player.play("structured-bad", initialize={"jsonSchema": SCHEMA})
    assert (turn.result["subtype"], player.asked) == ("error_max_structured_output_retries", "SSSSS")


def test_text_instead_of_a_structure_is_a_success_without_one(player: Player) -> None:
    turn = player.play("structured-text", initialize={"jsonSchema": SCHEMA})
    assert (turn.result["is_error"], turn.result["result"], player.asked) == (False, "forty-two", "SS")
    assert "structured_output" not in turn.result


def test_retry_after_is_honoured(player: Player) -> None:
    too_fast = Failure(status=429, kind="rate_limit_error", message="slow down", retry_after_s=1)
    player.simulator.script("retry-after", [too_fast, Answer(content=(Text("later"),))])
    turn = player.play("retry-after")
    (retry,) = turn.of("system", "api_retry")
    assert (retry["error_status"], retry["retry_delay_ms"] >= 1000) == (429, True)
    assert (turn.result["result"], player.asked) == ("later", "SS")


def test_a_silent_server_is_given_up_after_the_time_allowed(player: Player) -> None:
    turn = player.play("hang", env={"API_TIMEOUT_MS": "300", "CLAUDE_CODE_MAX_RETRIES": "0"})
    assert (turn.result["is_error"], turn.error_class, player.asked) == (True, "server_error", "S")
    assert "Request timed out" in turn.result["result"]


def test_without_the_repeat_a_broken_stream_is_an_error(player: Player) -> None:
    env = {"CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1", "CLAUDE_CODE_MAX_RETRIES": "0"}
    turn = player.play("reset-mid-stream", env=env)
    assert (turn.result["is_error"], turn.error_class, player.asked) == (True, "server_error", "S")
