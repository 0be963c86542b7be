"""A few new answers change the sums by day just as adding up everything again would, to the last bit."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from .indexed import Row, ask

#: Clocks change between these two, and the second is the next day already in the zone.
MOMENTS = ("2026-10-25T00:30:00.000Z", "2026-10-25T22:59:59.999Z", "2026-10-25T23:00:00.000Z", "no date")
ZONE = ZoneInfo("Europe/Madrid")


@st.composite
def sightings(draw: st.DrawFn) -> dict[str, Any]:
    """A line with one of few answers, so that most are seen several times, each time a little different."""
    usage = {
        "input_tokens": draw(st.sampled_from([7, 199_999, 200_001])),
        "output_tokens": draw(st.integers(0, 3)),
        "cache_read_input_tokens": draw(st.sampled_from([0, 1])),
        "speed": draw(st.sampled_from(["standard", "fast"])),
    }
    model = draw(st.sampled_from(["claude-sonnet-5-5", "claude-nova-9"]))
    return {
        "isSidechain": draw(st.booleans()),
        "message": {
            "id": draw(st.sampled_from(["msg_1", "msg_2", "msg_3", "msg_of_a_run"])),
            "model": model,
            "usage": usage,
        },
        "timestamp": draw(st.sampled_from(MOMENTS)),
        "sessionId": draw(st.sampled_from(["s-1", "s-of-a-run"])),
    }


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(sightings(), min_size=1, max_size=4), min_size=2, max_size=5))
def test_small_updates_and_one_of_everything_give_the_same_sums(batches: list[list[dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        index, transcripts = root / "usage.db", root / "projects" / "-home-me"
        transcripts.mkdir(parents=True)
        ask(index, [root], ZONE)
        with_a_run(index)
        for number, batch in enumerate(batches):
            with (transcripts / f"{number % 2}.jsonl").open("a") as file:
                file.writelines(json.dumps(line) + "\n" for line in batch)
            rows = ask(index, [root], ZONE).rows
        with contextlib.closing(sqlite3.connect(index)) as db, db:
            db.execute("DELETE FROM meta WHERE name IN ('tiers', 'listing')")
        assert in_order(ask(index, [root], ZONE).rows) == in_order(rows)


def with_a_run(index: Path) -> None:
    """Tell the index of a run of ours, whose answers in transcripts count no second time."""
    with contextlib.closing(sqlite3.connect(index)) as db, db:
        run = (
            "run_1",
            1_792_882_800_000,
            1_792_890_000_000,
            "s-of-a-run",
            "-home-me",
            "claude-sonnet-5-5",
            "plan",
        )
        db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, 0.0, 0.5, 1, 1, 2, 0, 0, 0, 0)", run)
        db.execute("INSERT INTO asked VALUES ('msg_of_a_run', 'run_1')")


def in_order(rows: list[Row]) -> list[str]:
    return sorted(repr(row) for row in rows if row.source != "run")
