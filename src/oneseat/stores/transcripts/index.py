"""The index for reading: as it is when nothing has changed, else refreshed first."""

from __future__ import annotations

import os

from .schema import DAYS, DAYS_OF_ALL, open_for_reading, open_for_writing
from .sqlite import sqlite3
from .walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .sums import OffsetAt, PriceOf


class IndexSpec:
    """The index at ``path``: transcripts below ``roots``, our runs in ``ledger``, days of the time zone ``zone``.

    ``prices`` is a fingerprint of the price tables, so that a change of them is noticed.
    """

    def __init__(self, path: str, roots: Sequence[str], ledger: str, zone: str, prices: str) -> None:
        self.path = path
        self.roots = roots
        self.ledger = ledger
        self.zone = zone
        self.prices = prices


class Index:
    """An index that is up to date, with our runs in ``ledger``. It does not change while it is open. Close it."""

    def __init__(self, db: sqlite3.Connection, ledger: str, *, refreshed: bool = False) -> None:
        self.db = db
        self.ledger = ledger
        self._refreshed = refreshed

    def text(self, name: str, make: Callable[[], str]) -> str:
        """The stored text of this name, or the one that ``make`` returns, which is stored after a refresh."""
        name = f"text {name}"
        known = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        if known is not None:
            return str(known[0])
        text = make()
        if self._refreshed:
            self.db.execute("INSERT INTO meta VALUES (?, ?)", (name, text))
        return text

    def days(self, *, by_project: bool = True) -> list[tuple[Any, ...]]:
        """The sums by day, in the column order of ``days``. Those of several price tiers are several rows.

        Without ``by_project`` there are fewer rows, and the project is empty.
        """
        return self.db.execute(DAYS if by_project else DAYS_OF_ALL).fetchall()

    def directories(self) -> dict[str, str]:
        """The directory of each project's folder, if it is known and the only one."""
        query = "SELECT folder, directory FROM projects GROUP BY folder HAVING count(*) = 1"
        return dict(self.db.execute(query))

    def folders(self) -> dict[str, set[str]]:
        """The folders of each directory."""
        found: dict[str, set[str]] = {}
        for folder, directory in self.db.execute("SELECT folder, directory FROM projects"):
            found.setdefault(directory, set()).add(folder)
        return found

    def notes(self) -> dict[str, int]:
        """How much could not be read, by reason."""
        (text,) = self.db.execute("SELECT value FROM meta WHERE name = 'notes'").fetchone()
        return {name: int(count) for name, _, count in (line.partition("=") for line in text.splitlines())}

    def transcripts(self) -> frozenset[str]:
        """The ids of the conversations whose transcripts exist now."""
        paths = self.db.execute("SELECT path FROM files")
        return frozenset(os.path.basename(os.fsdecode(path)).removesuffix(".jsonl") for (path,) in paths)  # noqa: PTH119 - pathlib takes 10 ms to import

    def resets(self, window: str) -> list[int]:
        """The ends of windows of this name that our runs were told, in milliseconds since 1970."""
        found = self.db.execute("SELECT resets FROM windows WHERE name = ? ORDER BY resets", (window,))
        return [resets for (resets,) in found]

    def close(self) -> None:
        """Commit what a refresh has added, and close the file."""
        if self.db.in_transaction:
            self.db.execute("COMMIT")
        self.db.close()


def ledger_fingerprint(path: str) -> str:
    """A text that changes with every write to the ledger."""
    parts = []
    for name in (path, f"{path}-wal"):
        try:
            found = os.stat(name)  # noqa: PTH116 - pathlib takes 10 ms to import
        except OSError:
            continue
        parts.append(f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}")
    return " ".join(parts)


def open_if_fresh(spec: IndexSpec) -> tuple[Index | None, Walk]:
    """The index if nothing has changed since it was written, else ``None``; and the transcripts that exist."""
    db = open_for_reading(spec.path)
    if db is None:
        return None, Walk(spec.roots, {})
    try:
        meta = _read_meta(db)
        walk = Walk(spec.roots, meta)
        expected = {"zone": spec.zone, "prices": spec.prices, "ledger": ledger_fingerprint(spec.ledger)}
        if walk.same and all(meta.get(name) == value for name, value in expected.items()):
            return Index(db, spec.ledger), walk
    except BaseException:  # also Ctrl-C: an open connection keeps its locks
        db.close()
        raise
    db.close()
    return None, walk


def _read_meta(db: sqlite3.Connection) -> dict[str, object]:
    try:
        db.execute("BEGIN")
        return dict(db.execute("SELECT name, value FROM meta"))
    except sqlite3.Error:
        return {}  # the refresh reports it


def refresh(spec: IndexSpec, walk: Walk, offset_at: OffsetAt, price_of: PriceOf) -> Index:
    """The index after reading what is new. Raises ``UnusableIndexError``, ``sqlite3.Error`` and ``OSError``."""
    from .sums import Sums  # noqa: PLC0415 - only when something has changed
    from .update import Update  # noqa: PLC0415 - as above

    db = open_for_writing(spec.path)
    try:
        # Without the listing, which is long and which the walk has read.
        meta = dict(
            db.execute("SELECT name, value FROM meta WHERE name IN ('zone', 'prices', 'ledger', 'tiers')")
        )
        update = Update(db, walk)
        update.run()
        touched = update.touched
        notes = {"links": walk.links, "closed_folders": walk.closed_folders, "unreadable": update.unreadable}
        ledger = ledger_fingerprint(spec.ledger)
        if ledger != meta.get("ledger"):
            try:
                from .runs import copy_runs  # noqa: PLC0415 - only when the ledger has changed

                copy_runs(db, spec.ledger)
            except sqlite3.Error:
                ledger, notes["ledger"] = "", 1
            touched = None
        if (spec.zone, spec.prices) != (meta.get("zone"), meta.get("prices")):
            db.execute("DELETE FROM rates")
            touched = None
        sums = Sums(db, offset_at, price_of)
        sums.write_days(touched if sums.tiers == meta.get("tiers") else None)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('tiers', ?)", (sums.tiers,))
        notes["ledger_rows"] = len(str(_kept(db, "ledger_unreadable")).split())
        _write_meta(db, spec, walk.listing(update.files), ledger, notes)
    except BaseException:  # also Ctrl-C: an open connection keeps its locks
        db.close()
        raise
    return Index(db, spec.ledger, refreshed=True)


def _kept(db: sqlite3.Connection, name: str) -> object:
    found = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return "" if found is None else found[0]


def _write_meta(
    db: sqlite3.Connection,
    spec: IndexSpec,
    listing: dict[str, bytes],
    ledger: str,
    notes: dict[str, int],
) -> None:
    for (problems,) in db.execute("SELECT problems FROM files WHERE problems != ''"):
        for problem in problems.split():
            name, _, count = problem.partition("=")
            notes[name] = notes.get(name, 0) + int(count)
    values = {
        **listing,
        "zone": spec.zone,
        "prices": spec.prices,
        "ledger": ledger,
        "notes": "\n".join(f"{name}={count}" for name, count in sorted(notes.items()) if count),
    }
    db.execute("DELETE FROM meta WHERE name GLOB 'text *'")
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
