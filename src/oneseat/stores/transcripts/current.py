"""An index that says what is true now: as it lies there when nothing has changed, else brought up to date first."""

from __future__ import annotations

import os

from oneseat.stores.light import sqlite3

from .database import DAYS, DAYS_OF_ALL, open_for_reading, open_for_writing
from .walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .sums import PriceOf
    from .zones import OffsetAt


class Wanted:
    """What is asked of the index at ``path``: transcripts below ``roots``, our runs in ``ledger``, days of the zone ``zone``.

    ``prices`` names the price table, so that a newer one is noticed.
    """

    def __init__(self, path: str, roots: Sequence[str], ledger: str, zone: str, prices: str) -> None:
        self.path = path
        self.roots = roots
        self.ledger = ledger
        self.zone = zone
        self.prices = prices


class Index:
    """An index that is up to date, with our runs in ``ledger``. As long as it is open, nothing in it changes. Close it."""

    def __init__(self, db: sqlite3.Connection, ledger: str, *, updated: bool = False) -> None:
        self.db = db
        self.ledger = ledger
        self._updated = updated

    def text(self, name: str, make: Callable[[], str]) -> str:
        """What ``make`` makes of this index. As long as nothing changes it is made once, if it was asked for by who updated it."""
        name = f"text {name}"
        known = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        if known is not None:
            return str(known[0])
        text = make()
        if self._updated:
            self.db.execute("INSERT INTO meta VALUES (?, ?)", (name, text))
        return text

    def days(self, *, by_project: bool = True) -> list[tuple[Any, ...]]:
        """The sums by day, in the order of the columns of ``days``; those of several tiers are several rows.

        Not ``by_project``, they are fewer, and the project is empty.
        """
        return self.db.execute(DAYS if by_project else DAYS_OF_ALL).fetchall()

    def directories(self) -> dict[str, str]:
        """The directory of each project's folder, where it is known."""
        return dict(self.db.execute("SELECT folder, directory FROM projects"))

    def notes(self) -> dict[str, int]:
        """What could not be read, by reason."""
        (text,) = self.db.execute("SELECT value FROM meta WHERE name = 'notes'").fetchone()
        return {name: int(count) for name, _, count in (line.partition("=") for line in text.splitlines())}

    def transcripts(self) -> frozenset[str]:
        """The names of the conversations whose transcripts are there now."""
        paths = self.db.execute("SELECT path FROM files")
        return frozenset(os.path.basename(os.fsdecode(path)).removesuffix(".jsonl") for (path,) in paths)  # noqa: PTH119 - pathlib takes 10 ms to import

    def resets(self, window: str) -> list[int]:
        """When windows of a kind end, in milliseconds since 1970, as far as our runs were told."""
        found = self.db.execute("SELECT resets FROM windows WHERE name = ? ORDER BY resets", (window,))
        return [resets for (resets,) in found]

    def close(self) -> None:
        """End the transaction, keeping what was added, and close the file."""
        if self.db.in_transaction:
            self.db.execute("COMMIT")
        self.db.close()


def stamp(path: str) -> str:
    """What the ledger's files look like: as long as it is the same, nothing was written."""
    looks = []
    for name in (path, f"{path}-wal"):
        try:
            found = os.stat(name)  # noqa: PTH116 - pathlib takes 10 ms to import
        except OSError:
            continue
        looks.append(f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}")
    return " ".join(looks)


def as_it_lies(wanted: Wanted) -> tuple[Index | None, Walk]:
    """The index, if nothing has changed since it was written, else ``None``; and what transcripts there are."""
    db = open_for_reading(wanted.path)
    meta: dict[str, object] = {}
    if db is not None:
        try:
            db.execute("BEGIN")
            meta = dict(db.execute("SELECT name, value FROM meta"))
        except sqlite3.Error:
            pass  # what it needs is done by who brings it up to date
    walk = Walk(wanted.roots, meta)
    expected = {"zone": wanted.zone, "prices": wanted.prices, "ledger": stamp(wanted.ledger)}
    if db is not None and walk.same and all(meta.get(name) == value for name, value in expected.items()):
        return Index(db, wanted.ledger), walk
    if db is not None:
        db.close()
    return None, walk


def brought_up_to_date(wanted: Wanted, walk: Walk, offset_at: OffsetAt, price_of: PriceOf) -> Index:
    """The index after reading what is new. Raises ``StrangeIndexError``, ``sqlite3.Error`` and ``OSError``."""
    from .indexing import Transcripts  # noqa: PLC0415 - only where something has changed
    from .sums import Sums  # noqa: PLC0415 - as above

    db = open_for_writing(wanted.path)
    try:
        # Not the listing, which is long and which the walk has.
        meta = dict(
            db.execute("SELECT name, value FROM meta WHERE name IN ('zone', 'prices', 'ledger', 'tiers')")
        )
        transcripts = Transcripts(db, walk)
        transcripts.update()
        touched = transcripts.touched
        notes = {
            "links": walk.links,
            "closed_folders": walk.closed_folders,
            "unreadable": transcripts.unreadable,
        }
        ledger = stamp(wanted.ledger)
        if ledger != meta.get("ledger"):
            try:
                from .ledger import copy_runs  # noqa: PLC0415 - only where a run has ended

                copy_runs(db, wanted.ledger)
            except sqlite3.Error:
                ledger, notes["ledger"] = "", 1
            touched = None
        if (wanted.zone, wanted.prices) != (meta.get("zone"), meta.get("prices")):
            db.execute("DELETE FROM rates")
            touched = None
        sums = Sums(db, offset_at, price_of)
        sums.write_days(touched if sums.tiers == meta.get("tiers") else None)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('tiers', ?)", (sums.tiers,))
        _remember(db, wanted, walk.listing(transcripts.looks), ledger, notes)
    except BaseException:  # also Ctrl-C: an open connection keeps its locks
        db.close()
        raise
    return Index(db, wanted.ledger, updated=True)


def _remember(
    db: sqlite3.Connection,
    wanted: Wanted,
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
        "zone": wanted.zone,
        "prices": wanted.prices,
        "ledger": ledger,
        "notes": "\n".join(f"{name}={count}" for name, count in sorted(notes.items()) if count),
    }
    db.execute("DELETE FROM meta WHERE name GLOB 'text *'")
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
