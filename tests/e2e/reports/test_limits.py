"""`oneseat limits` and paused runs: what the real CLI was told on the simulator, and what a ledger holds at fixed times."""

from __future__ import annotations

import json
import os
import pty
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oneseat._util.json import to_json
from oneseat.app.limits import read_limits
from oneseat.cli.screen import plain
from oneseat.cli.views.limits import limits_text, statusline
from oneseat.cli.views.timefmt import clock, tight
from oneseat.contract.history import SeenLimit
from oneseat.installation import Installation
from oneseat.stores.ledger.schema import open_ledger
from oneseat.testing import Behaviour, Simulator
from tests.e2e.driving import Done, Seat, fake_seat

NOW = 1_795_190_400.0  # 2026-11-20T16:00:00Z
HOUR = 3600.0
TIME_LEFT = re.compile(r"\b(\d+h\d\d|\d+d\d+h)\b")


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    seat = Seat(tmp_path, claude_path, simulator)
    seat.env["TZ"] = "UTC"
    return seat


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


Fill = Callable[..., None]


@pytest.fixture
def fill(utc: None, scratch_environment: Path) -> Fill:
    """Writes reports about the plan's windows into this process's own ledger."""
    return lambda *rows: fill_ledger(scratch_environment / "oneseat" / "data" / "runs.db", *rows)


def fill_ledger(path: Path, *rows: SeenLimit, simulated: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = open_ledger(path, 1.0)
    marks = ", ".join("?" for _ in range(10))
    db.executemany(f"INSERT INTO limits VALUES ({marks})", [("claude-cli", simulated, *row) for row in rows])
    db.close()


def report(used: float | None, ago: float = 120.0, now: float = NOW, **fields: Any) -> SeenLimit:
    given: dict[str, Any] = {
        "window": "five_hour",
        "status": "allowed",
        "resets_at": now + 2 * HOUR + 600,
        "source": "rate_limit_event",
        "overage": None,
    }
    return SeenLimit(**{**given, "used": used, "first_at": now - ago, "last_at": now - ago, **fields})


@pytest.fixture
def quick_seat(tmp_path: Path) -> Seat:
    """A seat whose CLI answers at once and says nothing of windows: what was said before is written by the test."""
    seat, _ = fake_seat(tmp_path, "ok")
    seat.env["TZ"] = "UTC"
    return seat


def own_settings(seat: Seat, text: str) -> None:
    folder = seat.home / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "oneseat.toml").write_text(text, "utf-8")


def turned_away(done: Done, code: int, error: str) -> None:
    assert done.code == code, done
    assert f"  code {error}\n" in done.stderr


def bar(seat: Seat) -> str:
    """The line for a status bar, with a `T` for each time that is left: the simulator's windows go on while a test runs."""
    return TIME_LEFT.sub("T", seat.run("limits", "--statusline").stdout)


def windows_of(done: Done) -> dict[str, dict[str, Any]]:
    (found,) = done.result["seats"]
    return {window["window"]: window for window in found["windows"]}


def test_without_a_run_every_window_is_unknown_and_never_empty(seat: Seat) -> None:
    done = seat.run("limits")
    assert (done.code, done.stderr) == (0, "")
    assert "five hours  unknown" in done.stdout
    assert "0 %" not in done.stdout
    assert {window["used"] for window in windows_of(seat.run("limits", "--json")).values()} == {None}
    assert seat.run("limits", "--statusline").stdout == "5h ? | week ?\n"
    assert not seat.home.exists()


@pytest.mark.parametrize(
    ("scenario", "line"),
    [
        ("ok", "5h 12% T | week 34%\n"),
        ("warning-five-hour", "5h 93% T | week 34%\n"),
        ("warning-seven-day", "5h 12% T | week 78% T\n"),
        ("last-of-five-hour", "5h full T | week 34%\n"),
        ("overage", "5h full T | week ? | extra usage\n"),
        ("limit-opus", "5h 12% T | week 34% | opus full T\n"),
        ("rate-limited", "5h ? | week ?\n"),
    ],
)
def test_what_a_run_was_told_is_shown(seat: Seat, simulator: Simulator, scenario: str, line: str) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url(scenario)
    own_settings(seat, "[retry]\nmax_attempts = 1\n")
    seat.run("run", "hi", "--quiet")
    assert bar(seat) == line


def test_a_real_run_and_a_simulated_one_know_nothing_of_each_other(seat: Seat) -> None:
    fill_ledger(seat.ledger, report(0.12, now=time.time()), simulated=True)
    fill_ledger(seat.ledger, report(0.5, now=time.time()))
    assert bar(seat) == "5h 12% T | week ?\n"
    del seat.env["ONESEAT_SIMULATOR_URL"]
    assert bar(seat) == "5h 50% T | week ?\n"
    own_settings(seat, '[simulator]\nurl = "http://127.0.0.1:9"\n')
    assert bar(seat) == "5h 12% T | week ?\n"


REPORT = """\
claude-cli, plan

window          used     status        resets                    reported
five hours      80 %     allowed       18:10, in 2 h 10 min      2 min ago, a run
week            12 %     allowed       Sun 08:00, in 40 h 0 min  20 h 0 min ago, a run
lunar_month     unknown  odd           unknown                   30 s ago, the CLI
seven_day_opus  unknown  reset         15:00                     90 % before
extra usage              in use, paid                            30 s ago

five hours      full at 16:37, 92 min before its reset, at the pace of the last 118 min (3 readings)
week            no forecast: too few recent readings
lunar_month     no forecast: usage unknown
seven_day_opus  no forecast: usage unknown

Unattended runs do not pause; set `limits.pause_at_percent` in your oneseat.toml to change that.
""".splitlines()


def test_the_report_at_a_fixed_time(fill: Fill) -> None:
    fill(
        report(0.2, 2 * HOUR),
        report(0.5, HOUR),
        report(0.8),
        report(0.12, 20 * HOUR, window="seven_day", resets_at=NOW + 40 * HOUR),
        report(0.9, 10 * HOUR, window="seven_day_opus", resets_at=NOW - HOUR),
        report(
            None, 30.0, window="lunar_month", status="odd", resets_at=None, source="get_usage", overage=True
        ),
    )
    shown = read_limits(Installation(), NOW)
    assert plain(limits_text(shown)).splitlines() == REPORT
    assert statusline(shown) == "5h 80% 2h10 | week >12% | lunar_month ? | extra usage"


def test_the_fields_of_json(fill: Fill) -> None:
    fill(report(0.2, HOUR), report(0.5))
    shown = json.loads(to_json(read_limits(Installation(), NOW)))
    assert shown["read_at"] == "2026-11-20T16:00:00Z"
    (found,) = shown["seats"]
    assert found["windows"][0] == {
        "window": "five_hour",
        "used": 0.5,
        "used_read_at": "2026-11-20T15:58:00Z",
        "status": "allowed",
        "read_at": "2026-11-20T15:58:00Z",
        "age_s": 120,
        "source": "rate_limit_event",
        "resets_at": "2026-11-20T18:10:00Z",
        "resets_in_s": 7800,
        "used_before_reset": None,
        "forecast": {
            "why": "pace",
            "full_at": "2026-11-20T17:34:40Z",
            "before_reset_s": 2120,
            "readings": 2,
            "span_s": 3480,
        },
    }


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([report(0.1, HOUR), report(0.2)], "not full before its reset"),
        ([report(0.1, 90 * 60), report(0.9, 80 * 60)], "full by now, "),
        ([report(0.1, HOUR), report(0.1, 60)], "unchanged for 59 min (2 readings)"),
        ([report(0.1, 60), report(0.2, 30)], "2 readings within 30 s"),
        ([report(None)], "usage unknown"),
        ([report(1.0, status="rejected")], "full until 18:10"),
    ],
)
def test_a_forecast_says_what_it_rests_on(fill: Fill, rows: list[SeenLimit], says: str) -> None:
    fill(*rows)
    assert says in limits_text(read_limits(Installation(), NOW))


def test_moments_are_short_and_in_this_machines_zone(utc: None) -> None:
    assert [tight(seconds) for seconds in (0, 2700, 7800, 3 * 86_400 + 4 * HOUR)] == [
        "0m",
        "45m",
        "2h10",
        "3d4h",
    ]
    assert [clock(NOW + hours * HOUR, NOW) for hours in (1, 9, 240)] == ["17:00", "Sat 01:00", "30 Nov 16:00"]


def test_budgets_are_windows_of_ones_own(seat: Seat) -> None:
    own_settings(
        seat,
        "[budget]\nday_usd = 2\nmonth_usd = 30\n"
        "[projects.shop]\ndirectory = '~/shop'\nday_budget_usd = 0.5\n"
        "[keys.work]\nprovider = 'openai'\nmonth_budget_usd = 5\n",
    )
    seat.run("run", "hi", "--quiet")
    budgets = seat.run("limits", "--json").result["budgets"]
    assert [(it["scope"], it["name"], it["period"], it["limit_usd"]) for it in budgets] == [
        ("all", None, "day", 2.0),
        ("all", None, "month", 30.0),
        ("key", "work", "month", 5.0),
        ("project", "shop", "day", 0.5),
    ]
    day, month, key, shop = budgets
    assert 0 < day["used"] == pytest.approx(day["used_usd"] / 2, abs=1e-6)
    assert month["used_usd"] == day["used_usd"]
    assert (shop["used_usd"], key["used_usd"], day["held_usd"]) == (0, 0, 0)
    assert day["resets_at"] <= month["resets_at"]
    shown = seat.run("limits").stdout
    for name in ("today ", "this month ", "this month, key work", "today, project shop"):
        assert name in shown


def test_a_damaged_ledger_is_named(seat: Seat) -> None:
    seat.ledger.parent.mkdir(parents=True)
    seat.ledger.write_bytes(b"no database " * 100)
    for form in ("--json", "--statusline"):
        done = seat.run("limits", form)
        assert done.code == 2
        assert "usage.ledger_corrupt" in done.stderr


def test_settings_that_cannot_be_read_are_named(seat: Seat) -> None:
    own_settings(seat, "[limits]\npause_at_percent = 0\n")
    turned_away(seat.run("limits"), 2, "usage.bad_setting")


def test_bad_forms_are_refused(seat: Seat) -> None:
    turned_away(seat.run("limits", "--json", "--statusline"), 2, "usage.arguments")
    turned_away(seat.run("limits", "--watch", "-1"), 2, "usage.arguments")


def test_a_run_of_automation_is_paused_before_anything_is_sent(seat: Seat, simulator: Simulator) -> None:
    own_settings(seat, "[limits]\npause_at_percent = 90\n")
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("warning-five-hour")
    assert seat.run("run", "hi").code == 0
    sent = len(simulator.messages())
    done = seat.run("run", "hi", "--json")
    assert done.code == 5
    result = done.result
    assert (result["status"], result["error"]["code"]) == ("refused", "limit.paused")
    assert (result["receipt"]["verdict"], result["receipt"]["attempts"]) == ("nothing_sent", 0)
    assert 10_000 < result["error"]["retry_after_s"] <= 10_800
    assert len(simulator.messages()) == sent
    assert "Unattended runs pause at 90 %" in seat.run("limits").stdout
    over = seat.run("run", "hi", "--over-limit")
    assert over.code == 0
    assert "note: usage window `five_hour` is at 93 %" in over.stderr


def test_a_run_near_the_pause_is_told_in_one_line(quick_seat: Seat) -> None:
    seat = quick_seat
    own_settings(seat, "[limits]\npause_at_percent = 95\n")
    fill_ledger(seat.ledger, report(0.93, now=time.time()), simulated=True)
    done = seat.run("run", "hi")
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert note == (
        "note: usage window `five_hour` is at 93 %; unattended runs pause at 95 %, see `oneseat limits`"
    )
    assert "note: " not in seat.run("run", "hi", "--quiet").stderr
    near = [line for line in seat.run("run", "hi", "--stream-json").lines if line["type"] == "limit_near"]
    assert [(line["window"], line["used"], line["pause_at_percent"]) for line in near] == [
        ("five_hour", 0.93, 95)
    ]


def test_without_the_setting_a_full_window_is_asked_again(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("limit-five-hour-once")
    own_settings(seat, "[retry]\nmax_attempts = 1\n")
    turned_away(seat.run("run", "hi"), 5, "limit.five_hour")
    assert seat.run("run", "hi").code == 0
    assert bar(seat) == "5h 12% T | week 34%\n"


def test_a_full_window_of_a_model_pauses_its_runs_only(seat: Seat, simulator: Simulator) -> None:
    own_settings(seat, "[limits]\npause_at_percent = 100\n[retry]\nmax_attempts = 1\n")
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("limit-opus")
    turned_away(seat.run("run", "hi", "--model", "opus"), 5, "limit.seven_day_opus")
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("ok")
    turned_away(seat.run("run", "hi", "--model", "opus"), 5, "limit.paused")
    assert seat.run("run", "hi", "--model", "sonnet").code == 0


def test_a_window_that_was_reset_pauses_nothing(quick_seat: Seat) -> None:
    seat = quick_seat
    own_settings(seat, "[limits]\npause_at_percent = 50\n")
    now = time.time()
    fill_ledger(seat.ledger, report(1.0, 600, now, status="rejected", resets_at=now - 1), simulated=True)
    assert seat.run("run", "hi").code == 0


def test_a_person_at_a_terminal_is_not_paused(quick_seat: Seat) -> None:
    seat = quick_seat
    own_settings(seat, "[limits]\npause_at_percent = 50\n")
    now = time.time()
    fill_ledger(seat.ledger, report(0.6, 600, now), simulated=True)
    turned_away(seat.run("run", "hi"), 5, "limit.paused")
    theirs, ours = pty.openpty()
    try:
        with seat.start("run", "hi", stderr=ours) as live:
            assert live.finish().code == 0
        os.close(ours)
        assert b"is at 60 %" in os.read(theirs, 65536)
    finally:
        os.close(theirs)


def test_a_refresh_asks_the_cli_and_sends_nothing(seat: Seat, simulator: Simulator) -> None:
    for login in ("token", "file"):
        seat.env["ONESEAT_SIMULATOR_LOGIN"] = login
        done = seat.run("limits", "--refresh", "--json")
        assert (done.code, done.result["estimate"]) == (0, None)
        assert (
            done.stderr == "note: the official CLI reported no window; a run reports them with its answer\n"
        )
    assert simulator.requests() == []
    seat.assert_nothing_left()


def test_what_the_cli_answers_is_kept(tmp_path: Path) -> None:
    usage = {"rate_limits": {"five_hour": {"utilization": 42, "resets_at": None}, "new": {"utilization": 7}}}
    seat, _ = fake_seat(tmp_path, Behaviour(answers={"get_usage": usage}))
    assert seat.run("limits", "--refresh", "--statusline").stdout == "5h 42% | week ? | new 7%\n"
    assert windows_of(seat.run("limits", "--json"))["five_hour"]["source"] == "get_usage"
    assert seat.runs() == []


@pytest.mark.parametrize("forbidden", [False, True], ids=["as ever", "forbidden by the owner"])
def test_only_a_refresh_lets_the_cli_ask_its_vendor(forbidden: bool, tmp_path: Path) -> None:
    """With its optional traffic switched off, the CLI does not ask how full the windows are (measured)."""
    seat, cli = fake_seat(tmp_path, "ok")
    del seat.env["ONESEAT_SIMULATOR_URL"]
    seat.env["CLAUDE_CODE_OAUTH_TOKEN"] = f"sk-ant-oat01-{'made-up-' * 12}"
    if forbidden:
        seat.env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = "1"
    refreshed = seat.run("limits", "--refresh")
    assert refreshed.code == 0, refreshed
    assert seat.run("run", "hi").code == 0
    refreshing, running = (start.environment for start in cli.starts())
    quiet = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"
    assert (quiet in refreshing, quiet in running) == (forbidden, True)
    reports = {"DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING"}
    assert (reports <= {*refreshing}) is not forbidden


def test_a_simulated_refresh_asks_no_vendor(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    assert seat.run("limits", "--refresh").code == 0
    assert "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC" in cli.starts()[0].environment


def test_a_refresh_with_another_wallet_is_refused(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "api-key")
    done = seat.run("limits", "--refresh")
    assert done.code == 3
    assert "  code billing." in done.stderr
