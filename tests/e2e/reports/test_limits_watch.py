"""`oneseat limits --watch`: how often it looks, where it prints, and how it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from oneseat.cli.commands.limits import command as limits_command
from tests.e2e.driving import Seat, fake_seat
from tests.e2e.terminal import Terminal


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat, _ = fake_seat(tmp_path, "ok")
    return seat


def test_watching_ends_with_ctrl_c(seat: Seat) -> None:
    with seat.start("limits", "--statusline", "--watch", "0.01") as live:
        live.read_until("5h ? | week ?\n5h ? | week ?\n")
        live.signal(signal.SIGINT)
        done = live.finish()
    assert (done.code, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout


def test_on_a_terminal_a_report_takes_the_place_of_the_one_before(seat: Seat) -> None:
    with Terminal(seat, "limits", "--statusline", "--watch", "0") as terminal:
        terminal.read_until("\x1b[H\x1b[J5h ? | week ?\r\n")
        terminal.interrupt("\x1b[H\x1b[J5h ? | week ?\r\n")
        done = terminal.finish()
    assert done.code == 0
    # What is typed next begins on a line of its own.
    assert done.stdout.endswith("^C\n")


@pytest.mark.parametrize("pause", ["inf", "1e300"])
def test_a_pause_may_be_longer_than_any_clock_counts(seat: Seat, pause: str) -> None:
    with seat.start("limits", "--statusline", "--watch", pause) as live:
        live.read_until("5h ? | week ?\n")
        live.signal(signal.SIGINT)
        done = live.finish()
    assert (done.code, done.stdout, done.stderr) == (0, "5h ? | week ?\n", "")


def test_a_watch_whose_reader_leaves_ends_without_waiting_for_the_next_report(seat: Seat) -> None:
    with seat.start("limits", "--statusline", "--watch", "3600") as live:
        live.read_until("5h ? | week ?\n")
        live.stop_reading()
        done = live.finish()
    assert (done.code, done.stderr) == (130, "")


def test_no_pause_at_all_would_only_heat_the_machine() -> None:
    assert limits_command.make_context("limits", ["--watch", "0"]).params["watch"] == 0.1
