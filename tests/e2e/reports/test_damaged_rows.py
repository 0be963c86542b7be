"""Damaged rows of the ledger: lists leave them out with a footnote, and `show` says what is damaged."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.driving import Seat
from tests.stores.making import make_request, make_result, make_writer

BROKEN, WHOLE = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat = Seat(tmp_path, tmp_path / "no-claude")
    seat.ledger.parent.mkdir(parents=True)
    writer = make_writer(seat.ledger)
    for name in (BROKEN, WHOLE):
        writer.begin(name, make_request(), "claude-cli")
        writer.finish(make_result(name, wallet="plan"))
    writer.close()
    return seat


def change(seat: Seat, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(seat.ledger)) as db, db:
        db.execute(statement, values)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("created_at", "yesterday"),
        ("ended_at", "99999999999"),
        ("status", "done"),
        ("prompt_bytes", "many"),
        ("duration_ms", b"\xff"),
        ("cost_usd", "free"),
        ("cwd", b"/srv"),
    ],
)
def test_a_damaged_run_is_in_a_footnote_and_shown_as_damaged(seat: Seat, column: str, value: object) -> None:
    change(seat, f"UPDATE runs SET {column} = ? WHERE id = ?", value, BROKEN)
    listed = seat.run("log", "--json").result
    assert [run["id"] for run in listed["runs"]] == [WHOLE]
    assert listed["not_read"] == {"ledger_rows": 1}
    assert seat.run("log").stdout.splitlines()[-1].startswith("not read: ")
    shown = seat.run("show", BROKEN, "--json")
    assert (shown.code, [each.partition(":")[0] for each in shown.result["damaged"]]) == (0, [column])
    text = seat.run("show", BROKEN)
    assert (text.code, text.stdout.count("damaged")) == (0, 1)


@pytest.mark.parametrize("column", ["result", "policy_inputs"])
def test_a_damaged_document_of_a_run_is_named(seat: Seat, column: str) -> None:
    change(seat, f"UPDATE runs SET {column} = '[' WHERE id = ?", BROKEN)
    shown = seat.run("show", BROKEN, "--json").result
    assert [each.partition(":")[0] for each in shown["damaged"]] == [column]
    assert len(seat.run("log", "--json").result["runs"]) == 2
    assert seat.run("show", BROKEN).code == 0


def test_a_damaged_event_is_shown_as_such(seat: Seat) -> None:
    change(
        seat,
        "INSERT INTO events (run_id, seq, at, type, json) VALUES (?, 1, 'noon', 'message', 'not json')",
        BROKEN,
    )
    event, *_ = seat.run("show", BROKEN, "--json").result["events"]
    assert event["event"] == {"type": "damaged", "raw": "not json"}
    assert "damaged" in seat.run("show", BROKEN).stdout


def test_a_damaged_conversation_is_in_a_footnote(seat: Seat) -> None:
    for name, messages in (("s1", 1), ("s2", "some")):
        change(
            seat,
            "INSERT INTO sessions VALUES (?, 'shop', ?, 'plan', 'claude-cli', '2026-11-20T14:00:00Z',"
            " '2026-11-20T14:00:00Z', ?, '', NULL, NULL)",
            name,
            f"/{name}",
            messages,
        )
    listed = seat.run("sessions", "list", "--json").result
    assert [session["id"] for session in listed["sessions"]] == ["s1"]
    assert listed["not_read"] == {"ledger_rows": 1}


@pytest.mark.parametrize(("column", "value"), [("used", "half"), ("last_at", 1e300), ("resets_at", -1e18)])
def test_a_damaged_report_of_a_window_is_in_a_footnote(seat: Seat, column: str, value: object) -> None:
    change(
        seat,
        "INSERT INTO limits VALUES ('claude-cli', 1, 'five_hour', 'allowed', 0.4, 4e9, 'a', NULL, 3e9, 3e9)",
    )
    change(seat, f"UPDATE limits SET {column} = ?", value)
    found = seat.run("limits", "--json")
    assert (found.code, found.result["not_read"]) == (0, {"ledger_rows": 1})
    assert seat.run("limits").code == 0


def test_the_corpus_has_a_help_and_makes_no_folder_of_an_option(tmp_path: Path) -> None:
    def corpus(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "oneseat.testing.corpus", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    shown = corpus("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "folder" in shown.stdout
    for wrong in (("--seed",), (), ("new", "none"), ("new", "0")):
        assert corpus(*wrong).returncode == 2
    assert list(tmp_path.iterdir()) == []
