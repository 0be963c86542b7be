"""The files in ``snapshots`` are what commands print; none outlives the test it belongs to."""

from __future__ import annotations

from pathlib import Path

from .driving import SNAPSHOTS


def test_every_snapshot_belongs_to_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    # A test names its file whole, or by what follows one of the dashes where it makes the name from a table.
    orphans = [
        path.name
        for path in SNAPSHOTS.iterdir()
        if not any(f'"{path.stem[index:]}"' in tests for index in _beginnings(path.stem))
    ]
    assert orphans == []


def _beginnings(stem: str) -> list[int]:
    return [0, *(index + 1 for index, char in enumerate(stem) if char == "-")]
