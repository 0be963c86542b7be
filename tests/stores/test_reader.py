"""Questions to the ledger: filters, names of runs, and files that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.history import RunFilter
from oneseat.stores.ledger.reader import LedgerReader

from .making import make_request, make_result, make_writer, refused

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[LedgerReader]:
    """Seven runs, begun 1, 3, 5, 7, 9, 11 and 13 seconds after noon; the last one goes on."""
    writer = make_writer(tmp_path / "runs.db")
    key_wins = ErrorInfo(code="billing.api_key_wins", message="m")
    overage = ErrorInfo(code="billing.overage", message="m")
    runs: list[tuple[str, str, dict[str, Any]]] = [
        ("aa1", "/desk", {}),
        ("aa2", "/desk/shop", {"error": key_wins, "status": "refused"}),
        ("ab1", "/desk/shop/src", {"wallet": "plan_overage", "error": overage}),
        ("ab1x", "/desk/shop2", {"wallet": "simulator"}),
        ("b%_1", "/desk/sh%p", {}),
        ("c1", "/", {"error": ErrorInfo(code="bill", message="m")}),
    ]
    for run_id, cwd, how in runs:
        writer.begin(run_id, make_request(cwd=cwd), "claude-cli")
        writer.finish(make_result(run_id, **how))
    writer.begin("d1", make_request(cwd="/elsewhere"), "claude-cli")
    writer.close()
    with LedgerReader(tmp_path / "runs.db") as reader:
        yield reader


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (RunFilter(), ["d1", "c1", "b%_1", "ab1x", "ab1", "aa2", "aa1"]),
        (RunFilter(limit=2), ["d1", "c1"]),
        (RunFilter(status="running"), ["d1"]),
        (RunFilter(status="refused"), ["aa2"]),
        (RunFilter(status="failed"), ["c1", "ab1"]),
        (RunFilter(wallet="simulator"), ["ab1x"]),
        (RunFilter(wallet="x' OR '1'='1"), []),
        (RunFilter(cwd="/desk/shop"), ["ab1", "aa2"]),
        (RunFilter(cwd="/desk/shop/"), ["ab1"]),
        (RunFilter(cwd="/desk/sh%p"), ["b%_1"]),
        (RunFilter(cwd="/"), ["d1", "c1", "b%_1", "ab1x", "ab1", "aa2", "aa1"]),
        (RunFilter(cwd="/caf\udce9"), []),
        (RunFilter(error="billing"), ["ab1", "aa2"]),
        (RunFilter(error="billing.over"), ["ab1"]),
        (RunFilter(error="b%"), []),
        (RunFilter(since=NOON + timedelta(seconds=9)), ["d1", "c1", "b%_1"]),
        (RunFilter(until=NOON + timedelta(seconds=9)), ["ab1x", "ab1", "aa2", "aa1"]),
        (
            RunFilter(since=(NOON + timedelta(seconds=11)).astimezone(timezone(timedelta(hours=5)))),
            ["d1", "c1"],
        ),
        (RunFilter(since=NOON + timedelta(seconds=3), wallet="plan", status="completed"), ["b%_1"]),
    ],
)
def test_a_filter_finds_what_it_names(wanted: RunFilter, ids: list[str], reader: LedgerReader) -> None:
    assert [run.id for run in reader.runs(wanted)] == ids


@pytest.mark.parametrize(("name", "run_id"), [("c", "c1"), ("ab1x", "ab1x"), ("ab1", "ab1"), ("b%", "b%_1")])
def test_the_beginning_of_an_id_is_enough(name: str, run_id: str, reader: LedgerReader) -> None:
    assert reader.run(name).summary.id == run_id


def test_a_beginning_that_fits_several_runs_lists_them(reader: LedgerReader) -> None:
    assert refused(lambda: reader.run("a")) == ErrorInfo(
        code="usage.ambiguous_run",
        message="Several runs match: `a`\n  `aa1`, `aa2`, `ab1`, `ab1x`",
        hint="Name one of them: `oneseat show aa1`",
    )


def test_of_many_only_the_first_are_listed(tmp_path: Path) -> None:
    writer = make_writer(tmp_path / "runs.db")
    for number in range(7):
        writer.begin(f"x{number}", make_request(), "claude-cli")
    writer.close()
    with LedgerReader(tmp_path / "runs.db") as reader:
        assert refused(lambda: reader.run("x")).message.endswith("`x0`, `x1`, `x2`, `x3`, `x4` and more")


@pytest.mark.parametrize(
    ("name", "shown", "near"),
    [
        ("aa3", "aa3", "\n  similar: `aa1`, `aa2`"),
        ("zz", "zz", ""),
        ("", "", ""),
        ("%", "%", ""),
        ("\udce9", "\\udce9", ""),
        ("\x1b[31m", "\\x1b[31m", ""),
        ("z\0", "z\\x00", ""),
    ],
)
def test_a_name_that_fits_no_run_says_what_comes_close(
    name: str, shown: str, near: str, reader: LedgerReader
) -> None:
    assert refused(lambda: reader.run(name)) == ErrorInfo(
        code="usage.no_such_run",
        message=f"No such run: `{shown}`{near}",
        hint="See the latest runs: `oneseat log`",
    )


def test_a_ledger_that_does_not_exist_is_empty_and_stays_away(tmp_path: Path) -> None:
    with LedgerReader(tmp_path / "runs.db") as reader:
        assert reader.runs(RunFilter()) == []
        assert list(reader.events("r1")) == []
        assert reader.evidence("r1") == ()
        assert refused(lambda: reader.run("r1")).code == "usage.no_such_run"
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_what_a_writer_wrote_since(tmp_path: Path) -> None:
    writer = make_writer(tmp_path / "runs.db")
    with LedgerReader(tmp_path / "runs.db") as reader:
        assert reader.runs(RunFilter()) == []
        writer.begin("r1", make_request(), "claude-cli")
        assert [run.status for run in reader.runs(RunFilter())] == ["running"]
        writer.finish(make_result("r1"))
        assert [run.status for run in reader.runs(RunFilter())] == ["completed"]
    writer.close()


def test_a_reader_cannot_write(reader: LedgerReader) -> None:
    reader.runs(RunFilter())
    assert reader._db is not None
    with pytest.raises(Exception, match="readonly"):
        reader._db.execute("DELETE FROM runs")


def test_the_list_is_read_by_time_and_a_name_by_its_index(reader: LedgerReader) -> None:
    reader.runs(RunFilter())
    assert reader._db is not None
    plan = reader._db.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM runs ORDER BY created_at DESC LIMIT 50"
    ).fetchall()
    assert "runs_by_time" in plan[0][3]
    plan = reader._db.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM runs WHERE id >= 'a' AND id < 'b'"
    ).fetchall()
    assert "SEARCH" in plan[0][3]


def test_an_entry_that_oneseat_did_not_write_is_named_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    writer.finish(make_result("r1"))
    assert writer._db is not None
    writer._db.execute("UPDATE runs SET result = '{\"run_id\": 5}'")
    writer.close()
    with LedgerReader(path) as reader:
        found = reader.run("r1")
    assert found.result is None
    assert found.damaged == ("result: Expected `str`, got `int` - at `$.run_id`",)
