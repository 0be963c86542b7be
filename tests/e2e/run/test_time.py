"""Time that jumps or stands still around a run: a clock that is set, a CLI and a oneseat that are stopped."""

from __future__ import annotations

import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import Answer, Failure, Simulator, Text
from tests.e2e.driving import Seat

DAY_S = 24 * 3600
#: The command, on a clock that a file sets: what is in it is added to every look at the time of day.
SHIFTED = """
import datetime, sys, time
from pathlib import Path

file, real, real_ns = Path(sys.argv.pop(1)), time.time, time.time_ns

def shift():
    return int(file.read_text() or 0) if file.exists() else 0

class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=shift())

datetime.datetime = Shifted
time.time = lambda: real() + shift()
time.time_ns = lambda: real_ns() + shift() * 10**9
from oneseat.__main__ import main
sys.exit(main())
"""
OVERLOADED = Failure(status=529, kind="overloaded_error", message="Overloaded")


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    simulator.script("late", (OVERLOADED, Answer(content=(Text("better late than never"),), pace_s=0.1)))
    return Seat(tmp_path, claude_path, simulator, "late")


def settings(seat: Seat, **values: object) -> None:
    text = "claude.max_retries = 0\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
    (seat.cwd / "oneseat.toml").write_text(text)


def times(seat: Seat, run_id: str) -> list[datetime]:
    """When the events of a run were written, by the clock of the time of day."""
    (shown,) = seat.run("show", run_id, "--json").lines
    return [datetime.fromisoformat(event["at"]) for event in shown["events"]]


@pytest.mark.parametrize("shift_s", [DAY_S, -DAY_S])
def test_a_clock_that_is_set_changes_no_time_limit_no_pause_and_no_duration(seat: Seat, shift_s: int) -> None:
    settings(seat, **{"run.timeout_s": 90, "watchdog.model_s": 30, "retry.max_wait_s": 60})
    ended = jump(seat, '"by":"oneseat"', shift_s)
    receipt = ended["receipt"]
    assert (ended["status"], ended["text"], receipt["attempts"]) == ("completed", "better late than never", 2)
    assert 0 < receipt["first_token_ms"] < receipt["duration_ms"] < 90_000
    # It was really set: what was written after the jump is a day away from what was written before. The end itself is never
    # dated before the beginning.
    *written, end = times(seat, ended["run_id"])
    assert abs((written[-1] - written[0]).total_seconds() - shift_s) < 3600
    assert end >= written[0].replace(microsecond=0) - timedelta(seconds=60)


def test_a_clock_that_is_set_back_does_not_hide_a_silence(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang-mid-stream")
    settings(seat, **{"watchdog.model_s": 2, "retry.max_attempts": 1})
    ended = jump(seat, '"type":"text_delta"', -DAY_S)
    assert (ended["error"]["code"], ended["text"]) == ("stall.model", "a stream")
    assert 2000 <= ended["receipt"]["duration_ms"] < 90_000


def jump(seat: Seat, after: str, shift_s: int) -> dict[str, Any]:
    """The result of a run during which the clock was set: ``shift_s`` seconds on, once ``after`` was printed."""
    plain, clock = seat.command, seat.root / "clock"
    seat.command = [sys.executable, "-c", SHIFTED, str(clock)]
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until(after)
        clock.write_text(str(shift_s))
        result = live.finish().lines[-1]
    seat.command = plain
    seat.assert_nothing_left()
    return result


def test_a_cli_that_is_stopped_is_silent_and_ended(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("slow")
    settings(seat, **{"watchdog.model_s": 1, "retry.max_attempts": 1})
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until('"type":"text_delta"')
        (cli,) = [process for process in seat.processes() if process.pid != live.pid]
        cli.send_signal(signal.SIGSTOP)
        ended = live.finish()
    result = ended.lines[-1]
    assert (ended.code, result["error"]["code"], result["text"][:3]) == (6, "stall.model", "one")
    seat.assert_nothing_left()


def test_a_oneseat_that_was_stopped_takes_it_for_nobodys_silence(
    seat: Seat, simulator: Simulator, tmp_path: Path
) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("slow")
    settings(seat, **{"watchdog.model_s": 1})
    (tmp_path / "other").mkdir()
    other = Seat(tmp_path / "other", Path(seat.env["ONESEAT_CLAUDE_PATH"]), simulator, "hang")
    settings(other, **{"watchdog.model_s": 2, "retry.max_attempts": 1})
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until('"type":"text_delta"')
        live.signal(signal.SIGSTOP)
        # Longer than the silence that the stopped one allows.
        assert other.run("run", "hello", "--json").result["receipt"]["duration_ms"] > 2000
        live.signal(signal.SIGCONT)
        ended = live.finish()
    assert (ended.code, ended.lines[-1]["text"][-8:]) == (0, "nine ten"), ended
