"""A seat's server and its status."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .driving import _FILTERS, Done, Live, Seat

_MORE = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b(msg|req|toolu)_\w+"), "ID"),
    (re.compile(r'"retry_after_s":[\d.]+'), '"retry_after_s":S'),
    (re.compile(r"  retry in .*"), "  retry in DURATION"),
)


@contextmanager
def serving(seat: Seat) -> Iterator[Live]:
    """A listening server, which must end without output."""
    with seat.start("serve", "--no-http") as live:
        live.read_until("stop with Ctrl-C\n")
        yield live
        live.signal(signal.SIGTERM)
        ended = live.finish()
        assert (ended.code, ended.stderr) == (0, ""), ended


def status(seat: Seat) -> dict[str, Any]:
    """The server in the output of `oneseat status`. Fails if there is none."""
    server: dict[str, Any] = seat.run("status", "--json").result["server"]
    return server


def went_cold(seat: Seat) -> str | None:
    """Why the last command did not use the server."""
    cold = status(seat)["last_cold"]
    return None if cold is None else str(cold["why"])


def timeless(ended: Done) -> tuple[int, str, str]:
    """The output of a command, without times and names that differ between runs."""
    shown = [ended.stdout, ended.stderr]
    for pattern, name in (*_MORE, *_FILTERS):
        shown = [pattern.sub(name, text) for text in shown]
    return ended.code, shown[0], shown[1]


def owners(seat: Seat) -> list[int]:
    """The process of each run, in the order in which the runs began."""
    with contextlib.closing(sqlite3.connect(seat.ledger)) as ledger:
        return [row[0] for row in ledger.execute("SELECT owner_pid FROM runs ORDER BY created_at, rowid")]
