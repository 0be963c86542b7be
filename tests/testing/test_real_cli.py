"""The simulator against the real `claude`: what the CLI makes of every scenario. The expectations are measured, on 2.1.329.

A start of the CLI costs more than ten turns, so one process takes as many as do not disturb each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oneseat.testing import SCENARIOS, Answer, Failure, Reply, Simulator, Text
from oneseat.testing.scenarios import replies_for

from .real_cli import Talk, Turn


class Good(NamedTuple):
    """A turn the CLI calls a success. ``asked`` lists its requests: ``S`` streamed, ``W`` whole."""

    text: str
    asked: str = "S"


class Bad(NamedTuple):
    """A turn the CLI calls an error. ``text`` is part of what it says."""

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
#: What the CLI does next depends on what was said before, so these are the first thing they are asked.
ALONE = {"bad-request", "prompt-too-long", "too-large"}
#: How often the CLI asks again after a whole block depends on how busy the machine is (measured: 1 to 5 requests).
BREAKS_OFF = {"reset-after-block", "eof-after-block"}
#: What the limits in the headers become. An event comes with a change, so the order of the turns matters.
LIMITS: dict[str, dict[str, Any]] = {
    "ok": {"status": "allowed", "rateLimitType": "five_hour", "isUsingOverage": False},
    "warning-five-hour": {"status": "allowed_warning", "rateLimitType": "five_hour", "utilization": 0.93},
    "warning-seven-day": {"status": "allowed_warning", "rateLimitType": "seven_day", "utilization": 0.78},
    "last-of-five-hour": {"status": "rejected", "rateLimitType": "five_hour", "isUsingOverage": False},
    "overage": {
        "status": "rejected",
        "overageStatus": "allowed",
        "isUsingOverage": True,
        "overageInUse": True,
    },
    "limit-five-hour": {"status": "rejected", "rateLimitType": "five_hour", "overageStatus": "rejected"},
    "limit-seven-day": {"status": "rejected", "rateLimitType": "seven_day"},
    "limit-opus": {"status": "rejected", "rateLimitType": "seven_day_opus"},
    "rate-limited": {"status": "rejected", "isUsingOverage": False},
}
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["answer", "tags"],
}
PLAYED = "played"


class Player:
    """The real CLI on a simulator that plays another scenario in each turn."""

    def __init__(self, talk: Talk, simulator: Simulator) -> None:
        self._talk = talk
        self._simulator = simulator

    def play(self, scenario: str | Sequence[Reply]) -> Turn:
        self._simulator.clear()
        replies = replies_for(scenario, {}) if isinstance(scenario, str) else scenario
        self._simulator.script(PLAYED, replies)
        turn = self._talk.turn()
        assert {(record.auth, record.simulator_token) for record in self._simulator.messages()} == {
            (("bearer",), True)
        }
        return turn

    @property
    def asked(self) -> str:
        """How each request of the last turn asked: ``S`` streamed, ``W`` whole."""
        return "".join("S" if record.body.get("stream") else "W" for record in self._simulator.messages())


class Stage(NamedTuple):
    """Where the CLI is started."""

    cli: Path
    home: Path
    simulator: Simulator

    @contextmanager
    def started(
        self, *argv: str, env: dict[str, str] | None = None, code: int = 0, schema: Any = None
    ) -> Iterator[Player]:
        """The CLI, to play with; it has to end with ``code`` and without a word on stderr."""
        self.simulator.script(PLAYED, replies_for("ok", {}))
        with Talk(self.cli, self.home, self.simulator.url(PLAYED), argv, env) as talk:
            if schema is not None:
                talk.initialize(jsonSchema=schema)
            yield Player(talk, self.simulator)
        assert (talk.code, talk.stderr) == (code, "")


@pytest.fixture
def stage(claude_path: Path, scratch_environment: Path, simulator: Simulator) -> Stage:
    return Stage(claude_path, scratch_environment, simulator)


def test_every_scenario_meets_the_real_cli() -> None:
    assert {*SCENARIOS} - {*SUCCESSES} - {*FAILURES} == ELSEWHERE
    assert {*LIMITS} <= {*SUCCESSES, *FAILURES}


def test_every_success(stage: Stage) -> None:
    with stage.started("--include-partial-messages") as player:
        for scenario, expected in SUCCESSES.items():
            turn = player.play(scenario)
            assert (turn.result["is_error"], turn.result["api_error_status"]) == (False, None), scenario
            assert (turn.result["result"], player.asked) == expected, scenario
            assert turn.error_class is None, scenario
            check_limit(scenario, turn)
            if scenario == "ok":
                check_pieces(turn)


def check_pieces(turn: Turn) -> None:
    """Deltas came one by one, and usage as it was sent."""
    deltas = [line["event"].get("delta", {}).get("text") for line in turn.of("stream_event")]
    assert [delta for delta in deltas if delta is not None] == ["ok", " from", " the", " simulator"]
    usage = turn.result["usage"]
    counts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert [usage[count] for count in counts] == [10, 100, 1000, 4]


def test_every_failure(stage: Stage) -> None:
    with stage.started(code=1) as player:
        for scenario in FAILURES:
            if scenario not in ALONE:
                check_failure(scenario, player)


@pytest.mark.parametrize("scenario", sorted(ALONE))
def test_a_failure_at_the_beginning(scenario: str, stage: Stage) -> None:
    with stage.started(code=1) as player:
        check_failure(scenario, player)


def check_failure(scenario: str, player: Player) -> None:
    turn, expected = player.play(scenario), FAILURES[scenario]
    result = turn.result
    assert (result["subtype"], result["is_error"]) == ("success", True), scenario
    assert expected.text in result["result"], scenario
    found = (result["api_error_status"], turn.error_class, result["terminal_reason"])
    assert found == (expected.status, expected.error, expected.reason), scenario
    often = {"S" * times for times in range(1, 6)} if scenario in BREAKS_OFF else {expected.asked}
    assert player.asked in often, scenario
    check_limit(scenario, turn)


def check_limit(scenario: str, turn: Turn) -> None:
    if scenario in LIMITS:
        assert turn.limit is not None, scenario
        assert LIMITS[scenario].items() <= turn.limit.items(), scenario
        if scenario != "rate-limited":
            shares = turn.limit["unifiedWindows"]
            assert 0 < shares["five_hour"]["utilization"] <= 1, scenario
            assert 0 < shares["seven_day"]["utilization"] <= 1, scenario


def test_a_tool_really_runs_and_a_loop_ends_at_the_limit_of_turns(stage: Stage) -> None:
    with stage.started("--tools", "Bash", "--allowedTools", "Bash", "--max-turns", "2", code=1) as player:
        turn = player.play("tool-use")
        (result,) = [block for line in turn.of("user") for block in line["message"]["content"]]
        assert (result["content"], result["is_error"]) == ("tool ran", False)
        assert turn.result["result"] == "the tool has run"
        turn = player.play("tool-loop")
        assert (turn.result["subtype"], player.asked) == ("error_max_turns", "SS")


def test_a_structured_answer_fits_the_schema_or_is_asked_for_again(stage: Stage) -> None:
    with stage.started(schema=SCHEMA, code=1) as player:
        turn = player.play("structured")
        assert (turn.result["structured_output"], player.asked) == ({"answer": 1, "tags": ["text"]}, "S")
        # Text instead of a structure is a success without one.
        turn = player.play("structured-text")
        assert (turn.result["is_error"], turn.result["result"], player.asked) == (False, "forty-two", "SS")
        assert "structured_output" not in turn.result
        turn = player.play("structured-bad")
        assert (turn.result["subtype"], player.asked) == ("error_max_structured_output_retries", "SSSSS")


def test_retry_after_is_honoured(stage: Stage) -> None:
    too_fast = Failure(status=429, kind="rate_limit_error", message="slow down", retry_after_s=1)
    with stage.started() as player:
        turn = player.play([too_fast, Answer(content=(Text("later"),))])
    (retry,) = turn.of("system", "api_retry")
    assert (retry["error_status"], retry["retry_delay_ms"] >= 1000) == (429, True)
    assert (turn.result["result"], player.asked) == ("later", "SS")


def test_without_repeats_a_silent_server_and_a_broken_stream_are_errors(stage: Stage) -> None:
    env = {
        "API_TIMEOUT_MS": "300",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
    }
    with stage.started(env=env, code=1) as player:
        turn = player.play("reset-mid-stream")
        assert (turn.result["is_error"], turn.error_class, player.asked) == (True, "server_error", "S")
        turn = player.play("hang")
        assert (turn.result["is_error"], turn.error_class, player.asked) == (True, "server_error", "S")
        assert "Request timed out" in turn.result["result"]
