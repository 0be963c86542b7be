"""A short share of ``python -m tests.chaos.namespaces`` in every test run."""

from __future__ import annotations

from pathlib import Path

from .namespaces import lost_runs


def test_no_run_of_another_namespace_is_lost(tmp_path: Path) -> None:
    runs, wrong = lost_runs(5.0, tmp_path)
    assert wrong == []
    assert runs >= 3
