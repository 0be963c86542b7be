"""`oneseat usage --check` on ledgers and transcripts made by hand, and on a run of the real CLI."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oneseat.contract.events import Event, LimitSeen, ModelFallback, ToolCall, TurnEnded, UsageSeen
from oneseat.contract.receipt import LimitReading, RunResult, TokenUsage, Verdict, Wallet
from oneseat.testing import Simulator
from oneseat.testing.corpus.lines import Pen, Reply, Slot, encode
from oneseat.testing.corpus.truth import Tokens
from tests.e2e.driving import Seat, check_snapshot
from tests.e2e.refusals import refused
from tests.stores.making import make_request, make_result, make_writer

#: What the table asks for these on claude-sonnet-5: 2 and 10 dollars a million.
USAGE = TokenUsage(100_000, 10_000, 0, 0, 0)
LISTED = 0.3
RESETS_S = datetime(2026, 11, 20, 16, tzinfo=UTC).timestamp()


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat = Seat(tmp_path, tmp_path / "no-claude")
    seat.env["TZ"] = "UTC"
    seat.ledger.parent.mkdir(parents=True)
    return seat


def add_run(
    seat: Seat,
    name: str,
    *,
    verdict: Verdict = "verified",
    wallet: Wallet = "plan",
    events: tuple[Event, ...] = (),
    **receipt: Any,
) -> None:
    """A run of the ledger, from noon on. ``receipt`` changes its receipt, which adds up by itself."""
    writer = make_writer(seat.ledger)
    writer.begin(name, make_request(), "claude-cli")
    for event in events:
        writer.record(name, event)
    result: RunResult = make_result(name, wallet=wallet)
    fields = {
        "usage": USAGE,
        "equivalent_cost_usd": LISTED,
        "verdict": verdict,
        "expected_wallet": wallet,
        **receipt,
    }
    writer.finish(msgspec.structs.replace(result, receipt=msgspec.structs.replace(result.receipt, **fields)))
    writer.close()


def reading(used: float, at: str) -> LimitSeen:
    limit = LimitReading(
        window="five_hour",
        status="allowed",
        used=used,
        resets_at="2026-11-20T16:00:00Z",
        source="get_usage",
        read_at=f"2026-11-20T{at}:00Z",
    )
    return LimitSeen(limit=limit)


def add_transcript(seat: Seat, at: datetime) -> None:
    pen, place = Pen(1), Slot("s-1", "/home/me/shop")
    folder = seat.home.parent / ".claude" / "projects" / place.project
    folder.mkdir(parents=True)
    reply = Reply("msg_1", at, "claude-sonnet-5-5", Tokens(100, 200), "req_1")
    (folder / "s-1.jsonl").write_bytes(encode(pen.answer(place, reply)))


def test_what_adds_up_is_said_to_add_up(seat: Seat) -> None:
    nothing = seat.run("usage", "--check")
    assert (nothing.code, nothing.stdout.splitlines()[-1]) == (0, "all adds up")
    add_run(seat, "aaaaaaaaaaaa")
    result = seat.run("usage", "--check", "--json")
    assert (result.code, result.result["adds_up"], result.result["findings"]) == (0, True, [])
    assert result.result["checked"]["runs"] == 1


def test_the_cli_by_itself_is_ordinary(seat: Seat) -> None:
    add_transcript(seat, datetime(2026, 11, 20, 9, tzinfo=UTC))
    done = seat.run("usage", "--check")
    assert done.code == 0
    assert "note    1 answer that did not come from a oneseat run" in done.stdout
    assert "all adds up" in done.stdout


def test_everything_that_does_not_add_up_is_shown_with_numbers_and_what_to_do(seat: Seat) -> None:
    add_run(seat, "aaaaaaaaaaaa")
    add_run(seat, "bbbbbbbbbbbb", verdict="misbilled", wallet="plan_overage", cost_usd=0.3)
    add_run(seat, "cccccccccccc", verdict="unverified")
    add_run(seat, "dddddddddddd", verdict="unverified", usage=TokenUsage(), equivalent_cost_usd=None)
    add_run(seat, "eeeeeeeeeeee", equivalent_cost_usd=0.9)
    add_run(seat, "ffffffffffff", events=(reading(0.1, "13:00"), reading(0.45, "14:30")))
    add_session(seat)
    add_transcript(seat, datetime(2026, 11, 19, 9, tzinfo=UTC))
    done = seat.run("usage", "--check")
    assert done.code == 4
    assert max(map(len, done.stdout.splitlines())) <= 80
    check_snapshot("usage-check", seat, done)
    result = seat.run("usage", "--check", "--json")
    assert result.code == 4
    wrong = {each["kind"] for each in result.result["findings"] if each["wrong"]}
    assert wrong == {
        "misbilled",
        "unverified",
        "unknown_use",
        "cost_differs",
        "limit_moved",
        "transcript_gone",
    }
    assert seat.run("usage", "--check", "--until", "2026-11-19", "--json").result["checked"]["runs"] == 0


def add_session(seat: Seat) -> None:
    """A conversation that the next run would continue, used a moment ago, with no transcript anywhere."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with contextlib.closing(sqlite3.connect(seat.ledger)) as db, db:
        db.execute(
            "INSERT INTO sessions (id, project, cwd, wallet, provider, created_at, used_at, messages, instructions)"
            " VALUES ('s-gone', 'shop', '/home/me/shop', 'plan', 'claude-cli', ?, ?, 1, '')",
            (now, now),
        )


def test_without_another_payer_it_is_the_code_of_what_cannot_be_trusted(seat: Seat) -> None:
    add_run(seat, "cccccccccccc", verdict="unverified")
    assert seat.run("usage", "--check").code == 8


def test_the_cost_of_several_models_is_not_compared_with_the_tokens_of_one(seat: Seat) -> None:
    main = UsageSeen(message_id="1", usage=USAGE, model="claude-sonnet-5")
    for name, event in (
        ("aaaaaaaaaaaa", UsageSeen(message_id="2", usage=USAGE, model="claude-haiku-4-5")),
        ("bbbbbbbbbbbb", UsageSeen(message_id="2", usage=USAGE, model="claude-sonnet-5", subagent="toolu_1")),
        (
            "cccccccccccc",
            ModelFallback(model="claude-opus-5", fallback="claude-sonnet-5", cause="overloaded"),
        ),
    ):
        add_run(seat, name, events=(main, event), equivalent_cost_usd=0.9)
    assert seat.run("usage", "--check").code == 0
    add_run(seat, "dddddddddddd", events=(main, main), equivalent_cost_usd=0.9)
    found = seat.run("usage", "--check", "--json").result["findings"]
    assert [(each["kind"], each["runs"]) for each in found] == [("cost_differs", ["dddddddddddd"])]


def test_a_window_that_was_asked_about_outside_of_runs_is_compared_too(seat: Seat) -> None:
    add_run(seat, "aaaaaaaaaaaa", events=(reading(0.2, "13:00"),))
    row = (
        "claude-cli",
        0,
        "five_hour",
        "allowed",
        0.5,
        RESETS_S,
        "get_usage",
        None,
        RESETS_S - 5400.0,
        RESETS_S - 60.0,
    )
    with contextlib.closing(sqlite3.connect(seat.ledger)) as db, db:
        db.execute("INSERT INTO limits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute(
            "INSERT INTO limits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (row[0], 1, *row[2:4], 0.9, *row[5:])
        )
    (found,) = seat.run("usage", "--check", "--json").result["findings"]
    assert (found["kind"], found["numbers"]["used_from"], found["numbers"]["used_to"]) == (
        "limit_moved",
        0.2,
        0.5,
    )


def test_simulated_runs_are_not_compared(seat: Seat) -> None:
    add_run(seat, "bbbbbbbbbbbb", verdict="misbilled", wallet="simulator")
    result = seat.run("usage", "--check", "--json")
    assert (result.code, result.result["checked"]["runs"]) == (0, 0)


def test_a_run_of_the_real_cli_adds_up(tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    assert seat.run("run", "--model", "sonnet", "say ok").code == 0
    with contextlib.closing(sqlite3.connect(seat.ledger)) as db, db:
        db.execute("UPDATE runs SET wallet = 'plan', expected_wallet = 'plan'")
    result = seat.run("usage", "--check", "--json").result
    assert (result["adds_up"], result["checked"]["runs"]) == (True, 1), result


def test_bad_input_is_refused(seat: Seat) -> None:
    refused("usage-check-view", seat, "usage", "--check", "models")
    refused("usage-check-filter", seat, "usage", "--check", "--model", "opus")
    assert seat.run("usage", "--check", "--since", "0001-01-01", "--until", "9999-12-31").code == 0
    seat.ledger.write_bytes(b"no database " * 100)
    refused("usage-check-broken-ledger", seat, "usage", "--check")


def test_the_cost_of_web_searches_and_of_requests_beside_the_conversation_is_not_compared(seat: Seat) -> None:
    main = UsageSeen(message_id="1", usage=USAGE, model="claude-sonnet-5")
    add_run(seat, "aaaaaaaaaaaa", events=(main,), equivalent_cost_usd=0.39, web_searches=3)
    for name, event in (
        ("bbbbbbbbbbbb", ToolCall(id="t", name="WebSearch", input={"query": "x"})),
        ("cccccccccccc", ToolCall(id="t", name="WebFetch", input={"url": "x"})),
        ("dddddddddddd", TurnEnded(text="", cost_models=("claude-sonnet-5", "claude-opus-4-7"))),
    ):
        add_run(seat, name, events=(main, event), equivalent_cost_usd=0.9)
    assert seat.run("usage", "--check").code == 0
    others = (ToolCall(id="t", name="Read", input={}), TurnEnded(text="", cost_models=("claude-sonnet-5",)))
    add_run(seat, "eeeeeeeeeeee", events=(main, *others), equivalent_cost_usd=0.9)
    found = seat.run("usage", "--check", "--json").result["findings"]
    assert [(each["kind"], each["runs"]) for each in found] == [("cost_differs", ["eeeeeeeeeeee"])]
