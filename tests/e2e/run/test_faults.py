"""The whole table of failures and limits: the library, which the command stands on, the real CLI and the simulator.

A start of the CLI costs more than ten messages, so those that leave each other alone are messages of one conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from oneseat import make_request
from oneseat.app.wiring import opened_app
from oneseat.contract.errors import exit_code
from oneseat.contract.receipt import Evidence, RunResult
from oneseat.installation import Installation
from oneseat.testing import SCENARIOS, Failure, Simulator
from oneseat.testing.scenarios import replies_for
from tests.e2e.driving import Seat, told
from tests.e2e.faults import BLOCK, FAULTS, GROUPS, NO_FAULTS, NOT_EXCEEDED, STALLED, Fault, passes

#: One attempt, and a model that may be silent for two seconds: repeating has tests of its own.
SETTINGS = "claude.max_retries = 0\nretry.max_attempts = 1\nwatchdog.model_s = {}\n"
SCHEMA = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
#: How often 2.1.329 asks again after a whole block depends on how busy the machine is (measured: 1 to 5 requests).
BREAKS_OFF = {"eof-after-block", "reset-after-block"}


PLAYED = "played"


class Ended(NamedTuple):
    """How a run ended, and how many requests reached the vendor."""

    result: RunResult
    requests: int


def test_every_scenario_is_in_the_table_or_is_no_fault() -> None:
    assert sorted([*FAULTS, *NO_FAULTS]) == sorted(SCENARIOS)
    assert sorted(name for names in GROUPS for name in names) == sorted(FAULTS)


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
async def test_every_fault_has_its_end(
    names: list[str], tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    expected = {name: FAULTS[name] for name in names}
    ended = await play_all(expected, tmp_path, claude_path, simulator)
    for name in BREAKS_OFF & {*expected}:
        asked, tokens = ended[name].requests, ended[name].result.receipt.usage.input_tokens
        assert (1 <= asked <= 5, tokens in {10 * asked, None}) == (True, True), (asked, tokens)
        expected[name] = passes("connection_lost", asked, asked * BLOCK, tokens=tokens)
    assert {name: found(ended[name], expected[name]) for name in ended} == expected
    for name in {*NOT_EXCEEDED} & {*ended}:
        check_not_exceeded(ended[name].result, *NOT_EXCEEDED[name])


async def play_all(
    faults: Mapping[str, Fault], root: Path, cli: Path, simulator: Simulator
) -> dict[str, Ended]:
    """Play the scenarios, each to one message of a conversation; one by itself to a run."""
    simulator.script(PLAYED, replies_for("ok", {}))
    seat = Seat(root, cli, simulator, PLAYED)
    (seat.cwd / "oneseat.toml").write_text(SETTINGS.format(2 if STALLED.error in _errors(faults) else 60))
    ended = {}
    async with opened_app(Installation(seat.env, seat.cwd)) as app, AsyncExitStack() as opened:
        talk = app
        if len(faults) > 1:
            talk = await opened.enter_async_context(app.conversation("claude-cli"))
        for name in faults:
            before = len(simulator.messages())
            # The replies to what was asked before keep their places: an id that comes twice would be one message.
            simulator.script(PLAYED, [*replies_for("ok", {}) * before, *replies_for(name, {})])
            schema = SCHEMA if name.startswith("structured") else None
            async with talk.stream(make_request("hello", cwd=seat.cwd, schema=schema)) as run:
                async for _ in run:
                    pass
            assert run.result is not None
            ended[name] = Ended(run.result, len(simulator.messages()) - before)
    seat.assert_nothing_left()
    return ended


def _errors(faults: Mapping[str, Fault]) -> set[str | None]:
    return {fault.error for fault in faults.values()}


def found(ended: Ended, expected: Fault) -> Fault:
    result, receipt, error = ended.result, ended.result.receipt, ended.result.error
    status = "completed" if error is None else "failed"
    assert (result.status, receipt.wallet, receipt.attempts) == (status, "simulator", 1)
    # What is not known is not said to be nothing.
    assert (receipt.equivalent_cost_usd is None) == (receipt.usage.input_tokens is None)
    return Fault(
        code=0 if error is None else exit_code(error.code),
        error=None if error is None else error.code,
        whose_turn=None if error is None else error.whose_turn,
        requests=ended.requests,
        text=result.text,
        verdict=receipt.verdict,
        tokens=receipt.usage.input_tokens,
        resets_in_s=None if error is None else about(error.retry_after_s, expected.resets_in_s),
    )


def about(wait_s: float | None, expected_s: float | None) -> float | None:
    """The time that was expected, where the wait is no longer and at most a minute shorter: the run took time itself."""
    near = wait_s is not None and expected_s is not None and expected_s - 60 <= wait_s <= expected_s
    return expected_s if near else wait_s


def check_not_exceeded(result: RunResult, window: str, used: float, status: str) -> None:
    """A limit that is not exceeded is reported, and the run stays on the plan."""
    (limit,) = [limit for limit in result.receipt.limits if limit.window == window]
    assert (limit.used, limit.status) == (used, status)
    assert Evidence("rate_limit.overage", value=False, when="during") in result.receipt.evidence


async def test_a_run_that_is_taken_for_another_program_is_not_disguised_or_repeated(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    words = "Third-party apps now draw from your extra usage, not your plan limits."
    simulator.script("third-party", (Failure(status=400, kind="invalid_request_error", message=words),))
    seat = Seat(tmp_path, claude_path, simulator, "third-party")
    async with opened_app(Installation(seat.env, seat.cwd)) as app:
        result = await app.run(make_request("hello", cwd=seat.cwd))
    assert result.error is not None
    assert (result.error.code, result.error.whose_turn) == ("provider.third_party", "you")
    assert words in result.error.message
    assert (result.receipt.attempts, {told(request) for request in simulator.messages()}) == (1, {"hello"})
