"""The file of trials: whatever happened to it, a CLI is either known for what it is or unseen."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from oneseat.contract.reports.compat import EXPECTED, Assumption, CanaryReport, CliFile
from oneseat.stores.compat import CanaryResults

CLI = CliFile(path="/opt/claude", size=200_000_000, changed_ns=1)


def report(cli: CliFile = CLI, *, holds: bool = True) -> CanaryReport:
    """A trial of everything."""
    tried = tuple(
        Assumption(name=name, expected=expected, seen="it", holds=holds)
        for name, expected in EXPECTED.items()
    )
    return CanaryReport(cli=cli, version="2.2.0", tried_at_ms=0, duration_ms=1, assumptions=tried)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "canary.json"


@pytest.mark.parametrize("holds", [True, False])
def test_a_report_is_kept_for_the_owner_alone(path: Path, *, holds: bool) -> None:
    CanaryResults(path).keep(report(holds=holds))
    kept = CanaryResults(path).report(CLI)
    assert kept == report(holds=holds)
    assert kept.passed is holds
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("change", [{"path": "/opt/other"}, {"size": 1}, {"changed_ns": 2}])
def test_another_file_is_unseen(path: Path, change: dict[str, object]) -> None:
    CanaryResults(path).keep(report())
    other = msgspec.structs.replace(CLI, **change)
    assert CanaryResults(path).report(other) is None
    assert CanaryResults(path).version(other) is None


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"null", b'{"cli":1}', b"\xff", b"[" * 100_000, b"[" + b" " * 2_000_000 + b"]"]
)
def test_a_damaged_file_holds_nothing_and_is_replaced(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    results = CanaryResults(path)
    assert results.report(CLI) is None
    results.keep(report())
    assert results.report(CLI) == report()


def test_a_trial_of_other_assumptions_is_unseen(path: Path) -> None:
    older = msgspec.structs.replace(report(), assumptions=report().assumptions[1:])
    CanaryResults(path).keep(older)
    assert CanaryResults(path).report(CLI) is None
    assert CanaryResults(path).version(CLI) == "2.2.0"


def test_several_clis_are_known_and_an_update_replaces_its_predecessor(path: Path) -> None:
    results = CanaryResults(path)
    other, updated = (
        msgspec.structs.replace(CLI, path="/opt/other"),
        msgspec.structs.replace(CLI, changed_ns=2),
    )
    results.keep(report())
    results.remember(other, "2.1.329")
    assert (results.version(other), results.report(other), results.report(CLI)) == ("2.1.329", None, report())
    results.remember(updated, "2.3.0")
    assert (results.version(updated), results.version(CLI), results.version(other)) == (
        "2.3.0",
        None,
        "2.1.329",
    )


def test_the_file_stays_small(path: Path) -> None:
    results = CanaryResults(path)
    clis = [msgspec.structs.replace(CLI, path=f"/opt/{number}") for number in range(40)]
    for cli in clis:
        results.keep(report(cli))
    assert [results.version(cli) is not None for cli in clis] == [False] * 24 + [True] * 16


def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CanaryResults(tmp_path / "missing" / "canary.json").keep(report())
    assert list(tmp_path.iterdir()) == []
