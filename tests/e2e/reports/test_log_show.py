"""`oneseat log` and `oneseat show`: what was run, who paid, and how that is known."""

from __future__ import annotations

import contextlib
import copy
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import oneseat
from oneseat.testing import Behaviour, write_fake_cli
from oneseat.testing.fake_cli import Say, Wait
from tests.e2e.driving import Seat, check_snapshot, fake_seat
from tests.e2e.refusals import refused

#: Run id, the CLI's behaviour, prompt, working directory below the seat's.
RUNS = (
    ("aa0000000001", "ok", "say ok", "."),
    (
        "aa0000000002",
        "dies-mid-answer",
        "a prompt\nof two lines, with a bell \x07 and \x1b[31mred, and much too long to fit",
        "sub",
    ),
    ("bb0000000003", "api-key", "refuse this", "sub/deeper"),
    ("cc0000000004", "half-line", "/usage", "subway"),
)


#: One history for all tests of this process, as none of them changes it. Made by the first that needs it.
_recorded: list[Seat] = []


@pytest.fixture
async def seat(tmp_path_factory: pytest.TempPathFactory) -> Seat:
    """A seat with a history of four runs."""
    if not _recorded:
        _recorded.append(await recorded(tmp_path_factory.mktemp("history")))
    shared = copy.copy(_recorded[0])
    shared.env = dict(shared.env)
    return shared


async def recorded(root: Path) -> Seat:
    """Run them."""
    seat = Seat(root, root / "claude")
    for run_id, behaviour, prompt, folder in RUNS:
        write_fake_cli(root / "claude", behaviour)
        (seat.cwd / folder).mkdir(exist_ok=True)
        request = oneseat.make_request(prompt, cwd=seat.cwd / folder)
        async with oneseat.connect(seat.env) as app, app.stream(request, run_id=run_id) as stream:
            async for _ in stream:
                pass
    return seat


def listed(seat: Seat, *filters: str) -> list[str]:
    """The ids that `log` lists, told apart by their last digit."""
    return [run["id"][-1] for run in seat.run("log", "--json", *filters).result["runs"]]


def moments(seat: Seat) -> list[datetime]:
    """When the runs began, the oldest first."""
    with contextlib.closing(sqlite3.connect(seat.ledger)) as ledger, ledger:
        rows = ledger.execute("SELECT created_at FROM runs ORDER BY id").fetchall()
    return [datetime.fromisoformat(at) for (at,) in rows]


def test_a_new_ledger_says_how_to_begin(tmp_path: Path) -> None:
    seat = Seat(tmp_path, tmp_path / "claude")
    check_snapshot("log-empty", seat, seat.run("log"))
    assert seat.run("log", "--json").stdout == '{"runs":[],"not_read":{}}\n'
    assert not seat.home.exists()


def test_the_newest_run_is_first_and_each_takes_one_line(seat: Seat) -> None:
    ended = seat.run("log")
    check_snapshot("log", seat, ended)
    assert ended.stdout.count("\n") == 1 + len(RUNS)
    assert all(char.isprintable() or char == "\n" for char in ended.stdout)


def test_filters_choose(seat: Seat) -> None:
    assert listed(seat) == ["4", "3", "2", "1"]
    assert listed(seat, "-n", "2") == ["4", "3"]
    assert listed(seat, "--status", "failed") == ["4", "2"]
    assert listed(seat, "--status", "refused") == ["3"]
    assert listed(seat, "--wallet", "api_key") == ["3"]
    assert listed(seat, "--error", "provider") == ["4", "2"]
    assert listed(seat, "--error", "provider.crashed", "--status", "failed") == ["2"]
    assert listed(seat, "--error", "provider.garbled") == ["4"]
    assert listed(seat, "--error", "limit") == []


def test_a_directory_stands_for_all_below_it_and_for_none_beside_it(seat: Seat) -> None:
    assert listed(seat, "--dir", ".") == ["4", "3", "2", "1"]
    assert listed(seat, "--dir", "sub") == ["3", "2"]
    assert listed(seat, "--dir", str(seat.cwd / "sub" / "deeper")) == ["3"]
    assert listed(seat, "--dir", "su_") == []


def test_a_time_is_a_moment_or_how_long_ago(seat: Seat) -> None:
    second = moments(seat)[1]
    assert listed(seat, "--since", second.isoformat()) == ["4", "3", "2"]
    assert listed(seat, "--until", second.isoformat()) == ["1"]
    # Without a zone it is the time of this machine's clock.
    seat.env["TZ"] = "Asia/Tokyo"
    there = second.astimezone(ZoneInfo("Asia/Tokyo")).replace(tzinfo=None)
    assert listed(seat, "--since", there.isoformat()) == ["4", "3", "2"]
    assert listed(seat, "--since", str((there + timedelta(days=1)).date())) == []
    assert listed(seat, "--since", "2h") == ["4", "3", "2", "1"]
    assert listed(seat, "--until", "1w") == []


def test_times_are_those_of_this_machine(seat: Seat) -> None:
    seat.env["TZ"] = "Asia/Tokyo"
    there = moments(seat)[0].astimezone(ZoneInfo("Asia/Tokyo"))
    assert there.strftime("aa0000000001  %Y-%m-%d %H:%M:%S  completed") in seat.run("log").stdout
    shown = seat.run("show", "aa0000000001").stdout
    assert shown.splitlines()[0] == there.strftime("run aa0000000001 · completed · %Y-%m-%d %H:%M:%S")
    first = seat.run("show", "aa0000000001", "--json").result["events"][0]
    at = datetime.fromisoformat(first["at"]).astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"     1  {at.strftime('%H:%M:%S.%f')[:-3]}  wallet_verified" in shown


@pytest.mark.parametrize(
    ("name", "run"),
    {"show-completed": "aa0000000001", "show-failed": "aa0000000002", "show-refused": "bb"}.items(),
)
def test_a_run_is_shown_with_its_receipt_evidence_and_events(name: str, run: str, seat: Seat) -> None:
    check_snapshot(name, seat, seat.run("show", run))


def test_as_json_everything_is_there(seat: Seat) -> None:
    shown = seat.run("show", "aa0000000001", "--json").result
    assert list(shown) == ["run", "result", "events", "policy_inputs"]
    assert shown["result"]["text"] == "ok from the fake"
    assert [event["seq"] for event in shown["events"]] == list(range(1, len(shown["events"]) + 1))
    events = [event["event"]["type"] for event in shown["events"]]
    assert events[0] == "wallet_verified"
    assert {"started", "message", "usage", "turn_ended"} < set(events)


def test_events_alone_are_one_a_line(seat: Seat) -> None:
    alone = seat.run("show", "aa0000000001", "--events").lines
    assert alone == seat.run("show", "aa0000000001", "--json").result["events"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    {
        "show-ambiguous": ("show", "aa"),
        "show-unknown": ("show", "ab"),
        "show-nothing": ("show",),
        "show-strange": ("show", "\x1b[31m%_"),
        "log-bad-time": ("log", "--since", "yesterday"),
        "log-bad-status": ("log", "--status", "done"),
        "log-bad-limit": ("log", "-n", "0"),
    }.items(),
)
def test_what_cannot_be_found_is_named(name: str, arguments: tuple[str, ...], seat: Seat) -> None:
    assert refused(name, seat, *arguments).code == 2


def test_a_reader_that_has_enough_may_leave(seat: Seat) -> None:
    with seat.start("log", "-n", "100") as live:
        live.stop_reading()
        ended = live.finish()
    assert (ended.code, ended.stderr) == (130, "")


def test_a_run_that_goes_on_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("half an answer"), Wait("stdin_closed"))))
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until("half an answer")
        (run,) = seat.runs()
        assert (run["status"], run["verdict"]) == ("running", None)
        shown = seat.run("show", run["id"][:4]).stdout
        live.signal()
        live.finish()
    assert "· running ·" in shown.splitlines()[0]
    assert "half an answer" in shown
    assert "receipt" not in shown


def test_without_text_the_ledger_still_knows_who_paid(tmp_path: Path) -> None:
    write_fake_cli(tmp_path / "claude", "ok")
    seat = Seat(tmp_path, tmp_path / "claude")
    (seat.cwd / "oneseat.toml").write_text("[ledger]\nkeep_text = false\n")
    assert seat.run("run", "my secret plan").stdout == "ok from the fake\n"
    shown = seat.run("show", seat.runs()[0]["id"])
    check_snapshot("show-text-not-kept", seat, shown)
    assert b"secret plan" not in seat.ledger.read_bytes()
