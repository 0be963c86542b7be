"""Copies our own runs from the ledger into the index, with the answers they received and the usage windows they saw."""

from __future__ import annotations

import json
import os

from .doubles import UNDATED
from .folders import folder_of
from .lenient_reader import MOST_TOKENS, MOST_USD, moment
from .sqlite import sqlite3

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KINDS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)
_SAME_WINDOW_MS = 60_000
#: What a row raises that is not as oneseat writes it. Such a row is left out and counted: it must not cost the report.
_NOT_OURS = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


def copy_runs(index: sqlite3.Connection, path: str) -> None:
    """Copy new runs of the ledger at ``path``. Raises ``sqlite3.Error`` when it cannot be read."""
    if not os.path.exists(path):  # noqa: PTH110 - pathlib takes 10 ms to import
        return
    ledger = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    try:
        ledger.execute("PRAGMA query_only = ON")
        ledger.execute("BEGIN")  # one snapshot, whatever is written meanwhile
        _copy_events(index, ledger)
        _copy_ends(index, ledger)
    finally:
        ledger.close()


def owners(path: str, column: str) -> dict[str, str]:
    """The key, role or client of each run, by its id; ``column`` is its name in the ledger. Empty when it cannot be read."""
    if not os.path.exists(path):  # noqa: PTH110 - as above
        return {}
    ledger = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    try:
        ledger.execute("PRAGMA query_only = ON")
        return dict(ledger.execute(f"SELECT id, {column} FROM runs WHERE {column} IS NOT NULL"))  # noqa: S608 - a name from above
    except sqlite3.Error:
        return {}
    finally:
        ledger.close()


def _copy_events(index: sqlite3.Connection, ledger: sqlite3.Connection) -> None:
    last = _meta(index, "ledger_event", 0)
    query = "SELECT id, run_id, type, json FROM events WHERE id > ? AND type IN ('usage', 'limit_seen') ORDER BY id"
    unreadable: list[str] = []
    for number, run, kind, text in ledger.execute(query, (last,)):
        last = number
        try:
            event = json.loads(text)
            if kind == "usage" and event.get("message_id"):
                index.execute("INSERT OR IGNORE INTO asked VALUES (?, ?)", (str(event["message_id"]), run))
            elif kind == "limit_seen":
                _note_window(index, event["limit"])
        except _NOT_OURS:
            unreadable.append(f"event-{number}")
    _set_meta(index, "ledger_event", last)
    _note_unreadable(index, unreadable)


def _note_unreadable(index: sqlite3.Connection, rows: list[str]) -> None:
    if rows:
        # By name: the last run is read again with every update.
        known = str(_meta(index, "ledger_unreadable", "")).split()
        _set_meta(index, "ledger_unreadable", " ".join(dict.fromkeys([*known, *rows])))


def _note_window(index: sqlite3.Connection, limit: dict[str, Any]) -> None:
    resets = moment(limit.get("resets_at"))
    if resets == UNDATED:
        return
    # The reported reset time of one window varies by up to two seconds.
    near = "SELECT 1 FROM windows WHERE name = ? AND abs(resets - ?) < ?"
    if index.execute(near, (limit["window"], resets, _SAME_WINDOW_MS)).fetchone() is None:
        index.execute("INSERT INTO windows VALUES (?, ?)", (limit["window"], resets))


def _copy_ends(index: sqlite3.Connection, ledger: sqlite3.Connection) -> None:
    last, unreadable = _meta(index, "ledger_end", ""), []
    query = (
        "SELECT id, created_at, ended_at, session_id, cwd, model, wallet, cost_usd, equivalent_cost_usd, result"
        " FROM runs WHERE ended_at >= ? AND result IS NOT NULL ORDER BY ended_at"
    )
    for row in ledger.execute(query, (last,)):
        last = row[2]
        try:
            _copy_end(index, row)
        except _NOT_OURS:
            unreadable.append(f"run-{row[0]}")
    _set_meta(index, "ledger_end", last)
    _note_unreadable(index, unreadable)


def _copy_end(index: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    run, created, ended, session, cwd, model, wallet, charged, listed, result = row
    receipt = json.loads(result)["receipt"]
    if receipt["verdict"] == "nothing_sent":
        return
    usage = receipt["usage"]
    tokens = [_count(usage.get(kind)) for kind in _KINDS]
    known = tokens[0] is not None and tokens[1] is not None
    times = (moment(created), moment(ended))
    searches = _count(receipt.get("web_searches")) or 0
    values = (_cost(charged), _cost(listed), known, *(count or 0 for count in tokens), searches)
    index.execute("INSERT OR IGNORE INTO projects VALUES (?, ?)", (folder_of(cwd), cwd))
    index.execute(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (run, *times, session, cwd, model or "", wallet or "unknown", *values),
    )


def _count(value: Any) -> int | None:
    """A number of tokens; ``None`` where it is absent, and where it cannot be one: earlier versions kept those."""
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def _cost(usd: float | None) -> float | None:
    """A cost in US dollars; ``None`` where it is absent or cannot be one."""
    return usd if usd is not None and 0 <= usd <= MOST_USD else None


def _meta(index: sqlite3.Connection, name: str, default: Any) -> Any:
    found = index.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return default if found is None else found[0]


def _set_meta(index: sqlite3.Connection, name: str, value: Any) -> None:
    index.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
