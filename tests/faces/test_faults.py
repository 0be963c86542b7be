"""The whole table of failures and limits through `oneseat run --json`, the real CLI and the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import SCENARIOS, Failure, Simulator

from .driving import Done, Seat, told
from .faults import BLOCK, KINDS, NO_FAULTS, OLD, STALLED, Fault, passes

#: One attempt, and a model that may be silent for two seconds: repeating has tests of its own.
SETTINGS = "claude.max_retries = 0\nretry.max_attempts = 1\nwatchdog.model_s = {}\n"
SCHEMA = '{"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}'
#: As many as the smallest machine has cores.
SIDE_BY_SIDE = 2


#: How often 2.1.329 asks again after a whole block depends on how busy the machine is (measured: 3 to 5 requests).
BREAKS_OFF = "eof-after-block"


def test_every_scenario_is_in_the_table_or_is_no_fault() -> None:
    names = [name for faults in KINDS.values() for name in faults]
    assert sorted([*names, *NO_FAULTS]) == sorted(SCENARIOS)
    assert {*OLD} <= {*names}


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_has_its_end(kind: str, tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    found, expected = ends(KINDS[kind], tmp_path, claude_path, simulator), dict(KINDS[kind])
    if BREAKS_OFF in expected:
        asked = found[BREAKS_OFF].requests
        assert 3 <= asked <= 5
        expected[BREAKS_OFF] = passes("connection_lost", asked, asked * BLOCK, tokens=10 * asked)
    assert found == expected


def test_every_fault_that_the_oldest_cli_takes_otherwise_has_its_end(
    tmp_path: Path, old_claude_path: Path, simulator: Simulator
) -> None:
    assert ends(OLD, tmp_path, old_claude_path, simulator) == OLD


def ends(faults: Mapping[str, Fault], root: Path, cli: Path, simulator: Simulator) -> dict[str, Fault]:
    """Play each scenario once, a few side by side, and say how it ended. No folder's name begins with that of another."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        played = pool.map(
            lambda name: play(name, faults[name], root / f"{name}.seat", cli, simulator), faults
        )
        return dict(zip(faults, played, strict=True))


def play(name: str, expected: Fault, root: Path, cli: Path, simulator: Simulator) -> Fault:
    root.mkdir()
    seat = Seat(root, cli, simulator)
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url(name, label=name)
    stalls = expected.error == STALLED.error
    (seat.cwd / "oneseat.toml").write_text(SETTINGS.format(2 if stalls else 60))
    schema = []
    if name.startswith("structured"):
        (seat.cwd / "schema.json").write_text(SCHEMA)
        schema = ["--schema", "schema.json"]
    ended = seat.run("run", "hello", "--json", *schema)
    seat.assert_nothing_left()
    return found(ended, len(simulator.messages(name)), expected)


def found(ended: Done, requests: int, expected: Fault) -> Fault:
    result, receipt = ended.result, ended.result["receipt"]
    error: dict[str, Any] = result["error"] or {"code": None, "whose_turn": None, "retry_after_s": None}
    assert (result["status"], receipt["wallet"], receipt["attempts"]) == (
        "completed" if ended.code == 0 else "failed",
        "simulator",
        1,
    )
    # What is not known is not said to be nothing.
    assert (receipt["equivalent_cost_usd"] is None) == (receipt["usage"]["input_tokens"] is None)
    return Fault(
        code=ended.code,
        error=error["code"],
        whose_turn=error["whose_turn"],
        requests=requests,
        text=result["text"],
        verdict=receipt["verdict"],
        tokens=receipt["usage"]["input_tokens"],
        resets_in_s=about(error["retry_after_s"], expected.resets_in_s),
    )


def about(wait_s: float | None, expected_s: float | None) -> float | None:
    """The time that was expected, where the wait is no longer and at most a minute shorter: the run took time itself."""
    near = wait_s is not None and expected_s is not None and expected_s - 60 <= wait_s <= expected_s
    return expected_s if near else wait_s


def test_a_run_that_is_taken_for_another_program_is_not_disguised_or_repeated(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    words = "Third-party apps now draw from your extra usage, not your plan limits."
    simulator.script("third-party", (Failure(status=400, kind="invalid_request_error", message=words),))
    ended = Seat(tmp_path, claude_path, simulator, "third-party").run("run", "hello", "--json")
    error, receipt = ended.result["error"], ended.result["receipt"]
    assert (ended.code, error["code"], error["whose_turn"]) == (7, "provider.third_party", "you")
    assert words in error["message"]
    assert (receipt["attempts"], {told(request) for request in simulator.messages()}) == (1, {"hello"})
