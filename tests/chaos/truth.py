"""What must hold after a run was killed, however and whenever. Each function returns what does not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from .plays import Play
from .seat import Ended, Mark, Seat, alive, json_lines

_ENDS = {"completed", "failed", "cancelled", "refused"}


class Stored(NamedTuple):
    """One run as the ledger has it."""

    id: str
    status: str
    ended_at: str | None
    text: str
    result: dict[str, Any]
    events: tuple[str, ...]

    @property
    def phase(self) -> str:
        """How far it had come, by what was written."""
        if self.status == "completed":
            return "completed"
        for name in ("message", "tool_call", "started", "wallet_verified"):
            if name in self.events:
                return f"after {name}"
        return "before the gate"


def stored_runs(ledger: Path) -> list[Stored]:
    """Every run in the ledger, in the order in which they began."""
    if not ledger.exists():
        return []
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT id, status, ended_at, text, result FROM runs ORDER BY rowid").fetchall()
        return [
            Stored(id_, status, ended, text or "", json.loads(result or "{}"), tuple(_types(db, id_)))
            for id_, status, ended, text, result in rows
        ]


def _types(db: sqlite3.Connection, run_id: str) -> list[str]:
    return [row[0] for row in db.execute("SELECT type FROM events WHERE run_id = ? ORDER BY seq", (run_id,))]


def wrong_with_ledger(ledger: Path) -> Iterator[str]:
    """A ledger that is not whole, or a run in it without an end."""
    if not ledger.exists():
        return
    with closing(sqlite3.connect(ledger)) as db:
        if (verdict := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            yield f"the ledger is damaged: {verdict}"
    for run in stored_runs(ledger):
        if run.status not in _ENDS or run.ended_at is None or run.result.get("status") != run.status:
            yield f"run {run.id} has no true end: {run.status}, {run.ended_at}, {run.result.get('status')}"


def wrong_with_machine(seat: Seat, seen: list[Mark]) -> Iterator[str]:
    """A survivor, or a folder nobody will look for again."""
    for mark in {mark.pid: mark for mark in (*seat.processes(), *alive(seen))}.values():
        yield f"survivor: {mark.pid} {mark.name}"
    for path in seat.temporary.iterdir():
        yield f"temporary file: {path.name}"


def wrong_with_command(ended: Ended) -> Iterator[str]:
    """A command that hung, showed its insides, or ended by a bug."""
    if ended.code is None:
        yield "it did not end"
    # Ctrl-C while Python itself is starting is Python's to show: no line of ours has been reached.
    ours = "in main" in ended.stderr or "KeyboardInterrupt" not in ended.stderr
    if ours and ("Traceback" in ended.stderr or ended.code == 1):
        yield f"it shows a bug: {ended.stderr[-600:]}"


def wrong_with_run(play: Play, ended: Ended, run: Stored | None, asked: int) -> Iterator[str]:
    """A run whose end in the ledger is not what happened. ``asked`` is how many model requests the simulator got."""
    printed = _printed(ended.stdout)
    if run is None:
        if (
            printed.get("receipt", {}).get("verdict", "nothing_sent") != "nothing_sent"
            or asked
            or ended.code == 0
        ):
            yield "something happened and the ledger knows of no run"
        return
    if printed and {"denials": [], **printed} != {**run.result, "text": run.text}:
        yield f"printed {_brief(printed)} and stored {_brief(run.result)}"
    if (ended.code == 0) != (run.status == "completed") and (ended.code or 0) >= 0:
        yield f"exit code {ended.code} and {run.status}"
    if run.status == "completed" and play.text not in run.text:
        yield f"completed with another text: {run.text[:100]!r}"
    yield from _wrong_with_receipt(run, asked)


def _wrong_with_receipt(run: Stored, asked: int) -> Iterator[str]:
    receipt = run.result["receipt"]
    silent = receipt["verdict"] == "nothing_sent"
    if silent and asked:
        yield f"nothing sent, it says, and {asked} request(s) arrived"
    if not silent and "wallet_verified" not in run.events:
        yield f"killed before it was sent, and the verdict is {receipt['verdict']}"
    if not silent and run.status != "completed" and receipt["equivalent_cost_usd"] == 0:
        yield "it was sent, broke off, and says that it cost nothing"


def _brief(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result.get(name) for name in ("run_id", "status", "error", "receipt")}


def _printed(stdout: bytes) -> dict[str, Any]:
    """The result on stdout, ``{}`` where there is none."""
    lines = json_lines(stdout)
    if not lines or "run_id" not in lines[-1] or "receipt" not in lines[-1]:
        return {}
    return {name: value for name, value in lines[-1].items() if name != "type"}
