"""`oneseat usage`: what was used, each answer once, to the token."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from oneseat.app.usage import VIEWS
from oneseat.cli.views.numbers import usd
from oneseat.cli.views.usage import unpriced
from oneseat.host.paths import Paths
from oneseat.host.quick_paths import config_dir, data_dir
from oneseat.settings import home_from
from oneseat.testing import Simulator
from oneseat.testing.corpus import KINDS, Corpus, Spent, Tokens, write_corpus
from oneseat.testing.corpus.lines import Pen, Reply, Slot, encode
from oneseat.testing.corpus.truth import summed
from tests.e2e.driving import Seat
from tests.e2e.projects import ask, with_project
from tests.e2e.refusals import refused


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def seat(tmp_path: Path, corpus: Corpus) -> Seat:
    """A seat whose transcripts are those of the corpus."""
    seat = Seat(tmp_path, tmp_path / "no-claude")
    seat.env |= {"CLAUDE_CONFIG_DIR": ",".join(map(str, corpus.roots)), "TZ": "UTC"}
    return seat


def tokens_of(row: dict[str, Any]) -> Tokens:
    return Tokens(*(int(row[f"{kind}_tokens"]) for kind in KINDS))


def rows_by_key(seat: Seat, *arguments: str) -> dict[Hashable, Tokens]:
    """The tokens of each row that `--json` prints."""
    result = seat.run("usage", "--json", *arguments).result
    return {row["key"]: tokens_of(row) for row in result["rows"]}


def in_zone(zone: str, form: str) -> Callable[[Spent], str]:
    return lambda one: "no date" if one.at is None else one.at.astimezone(ZoneInfo(zone)).strftime(form)


def test_every_view_adds_up_to_the_truth(seat: Seat, corpus: Corpus) -> None:
    whole = summed(corpus.spent, lambda _: None)[None]
    dated = summed([one for one in corpus.spent if one.at is not None], lambda _: None)[None]
    for view in VIEWS:
        result = seat.run("usage", view, "--json").result
        assert tokens_of(result["total"]) == (dated if view == "blocks" else whole), view
        assert summed_rows(result["rows"]) == tokens_of(result["total"])
        rows = list(csv.DictReader(io.StringIO(seat.run("usage", view, "--csv").stdout)))
        assert summed_rows(rows) == tokens_of(result["total"])


def summed_rows(rows: list[dict[str, Any]]) -> Tokens:
    total = Tokens()
    for row in rows:
        total = total.plus(tokens_of(row))
    return total


def test_rows_are_the_groups_they_are_named_after(seat: Seat, corpus: Corpus) -> None:
    keys: dict[str, Callable[[Spent], Hashable]] = {
        "daily": in_zone("UTC", "%Y-%m-%d"),
        "monthly": in_zone("UTC", "%Y-%m"),
        "models": lambda one: one.model,
        "sessions": lambda one: one.session,
        "projects": lambda one: one.project,
        "wallets": lambda _: "unknown",
    }
    for view, key in keys.items():
        assert rows_by_key(seat, view) == summed(corpus.spent, key), view


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_days_are_those_of_the_time_zone(seat: Seat, corpus: Corpus, zone: str) -> None:
    assert rows_by_key(seat, "--tz", zone) == summed(corpus.spent, in_zone(zone, "%Y-%m-%d"))


def test_filters_take_what_they_say(seat: Seat, corpus: Corpus) -> None:
    day = in_zone("UTC", "%Y-%m-%d")
    cases: list[tuple[tuple[str, ...], Callable[[Spent], bool]]] = [
        (("--since", "2026-11-01"), lambda one: "2026-11-01" <= day(one) < "no date"),
        (("--until", "2026-11-01"), lambda one: day(one) <= "2026-11-01"),
        (("--since", "2026-11-01", "--until", "2026-11-01"), lambda one: day(one) == "2026-11-01"),
        (("--project", "notes.d"), lambda one: one.project == "/home/me/notes.d"),
        (("--model", "opus"), lambda one: "opus" in one.model),
        (("--wallet", "plan"), lambda _: False),
        (
            ("--wallet", "unknown", "--model", "haiku", "--project", "shop"),
            lambda one: "haiku" in one.model and "shop" in one.project,
        ),
    ]
    for arguments, takes in cases:
        for view in ("daily", "sessions", "blocks"):
            expected = [
                one for one in corpus.spent if takes(one) and (one.at is not None or view != "blocks")
            ]
            result = seat.run("usage", view, "--json", *arguments).result
            assert tokens_of(result["total"]) == summed(expected, lambda _: 0).get(0, Tokens()), (
                arguments,
                view,
            )


def test_a_model_without_a_price_is_unknown_and_listed_and_never_free(seat: Seat, corpus: Corpus) -> None:
    result = seat.run("usage", "models", "--json").result
    prices = {row["key"]: row["list_price_usd"] for row in result["rows"]}
    assert prices["claude-nova-9"] is None
    assert all(price > 0 for model, price in prices.items() if model != "claude-nova-9")
    tokens = sum(sum(one.tokens) for one in corpus.spent if one.model == "claude-nova-9")
    assert result["total"]["unpriced_tokens"] == {"claude-nova-9": tokens}
    assert result["total"]["charged_usd"] is None
    assert "? no price known, in no sum: claude-nova-9" in seat.run("usage").stdout


def test_an_index_that_is_somebody_elses_is_named(seat: Seat) -> None:
    seat.become_ordinary()
    assert seat.run("usage").code == 0
    index = seat.home / "data" / "usage.db"
    index.chmod(0)
    ended = seat.run("usage")
    assert (ended.code, "code usage.home_unwritable\n" in ended.stderr) == (2, True)
    assert f"`{index}`\n  Permission denied" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--wallet", "paln"), "`paln` is not one of `plan`"),
        (("--since", "2026-11-20", "--until", "2026-11-01"), "--since is after --until"),
    ],
)
def test_a_filter_that_could_find_nothing_is_no_empty_report(
    arguments: tuple[str, ...], words: str, seat: Seat
) -> None:
    ended = seat.run("usage", *arguments)
    assert (ended.code, words in ended.stderr) == (2, True)


def test_what_is_little_or_not_counted_is_neither_nothing_nor_without_a_price() -> None:
    # A run that was stopped has tokens that nobody counted, of a model that may well have a price.
    assert list(unpriced({"claude-haiku-4-5": 0, "claude-nova-9": 1200})) == [
        "? no price known, in no sum: claude-nova-9 (1.20k tokens)",
        "? tokens unknown, in no sum: claude-haiku-4-5",
    ]
    assert [usd(value) for value in (0.0, 0.00001, 0.0008, 1.005, 1234.5, None)] == [
        "$0.00",
        "<$0.0001",
        "$0.0008",
        "$1.00",
        "$1,234.50",
        "unknown",
    ]


def test_what_cannot_be_read_is_in_the_footnotes(seat: Seat, corpus: Corpus) -> None:
    printed = seat.run("usage").stdout
    assert f"a line whose token counts are not numbers ({corpus.unreadable['wrong_shape']} times)" in printed
    assert "> at least" in printed


@pytest.mark.parametrize("view", VIEWS)
def test_a_report_fits_a_terminal_and_quick_and_ordinary_answers_are_one(seat: Seat, view: str) -> None:
    seat.env["COLUMNS"] = "80"
    quick = seat.run("usage", view)
    assert (quick.code, quick.stderr) == (0, "")
    assert max(map(len, quick.stdout.splitlines())) <= 80
    assert seat.run("usage", view, "--tz", "UTC").stdout == quick.stdout
    chart = seat.run("usage", view, "--chart").stdout
    assert "█" in chart
    assert max(map(len, chart.splitlines())) <= 80


def test_an_unchanged_history_is_answered_without_the_command_lines_machinery(seat: Seat) -> None:
    seat.run("usage")
    program = (
        "import sys; from oneseat.fast.usage import answered; assert answered([]);"
        "print(sorted({'click', 'msgspec', 'pathlib', 'platformdirs', 'json', 'typing'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=seat.env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "env",
    [
        {"HOME": "/home/me"},
        {"HOME": "/home/me", "XDG_DATA_HOME": "/data/of/me"},
        {"HOME": "/home/me", "XDG_DATA_HOME": ""},
        {"HOME": "/home/me", "ONESEAT_HOME": "/seat/"},
        {"HOME": "/home/me", "ONESEAT_HOME": "~/seat"},
    ],
)
def test_the_index_lies_where_oneseats_data_is(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "ONESEAT_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    paths = Paths.find(home_from(env))
    assert data_dir(dict(os.environ)) == str(paths.data_dir)
    assert config_dir(dict(os.environ)) == str(paths.config_dir)


def test_a_picture_is_drawn_to_scale(seat: Seat, tmp_path: Path) -> None:
    result = seat.run("usage", "monthly", "--json", "--plot", str(tmp_path / "usage.svg")).result
    drawing = ElementTree.parse(tmp_path / "usage.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    bars = [bar for bar in drawing.iter(f"{space}rect") if bar.get("class") == "bar"]
    assert [bar[0].text.partition(":")[0] for bar in bars if bar[0].text] == [
        row["key"] for row in result["rows"]
    ]
    heights = [int(bar.get("height", "")) for bar in bars]
    prices = [row["list_price_usd"] for row in result["rows"]]
    assert [height / heights[0] for height in heights] == pytest.approx(
        [price / prices[0] for price in prices], abs=0.02
    )
    texts = [text.text for text in drawing.iter(f"{space}text")]
    assert "$0.00" in texts
    assert any("list price in US dollars; " in text for text in texts if text)


def test_nothing_at_all_is_said_to_be_nothing(tmp_path: Path) -> None:
    seat = Seat(tmp_path, tmp_path / "no-claude")
    assert seat.run("usage").stdout == "No usage found.\n"
    assert seat.run("usage", "models", "--json").result["rows"] == []
    assert seat.run("usage", "--csv").stdout.count("\n") == 1
    assert seat.run("usage", "--plot", str(tmp_path / "empty.svg")).code == 0


def test_a_name_from_a_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    seat, pen = Seat(tmp_path, tmp_path / "no-claude"), Pen(1)
    place = Slot("s-1", "/home/me/\x1b[31mred\x07")
    folder = seat.home.parent / ".claude" / "projects" / place.project
    folder.mkdir(parents=True)
    reply = Reply("msg_1", datetime(2026, 11, 20, tzinfo=UTC), "m\x1b]0;x", Tokens(1, 2), "req_1")
    (folder / "s-1.jsonl").write_bytes(encode(pen.answer(place, reply)))
    for view in ("projects", "models"):
        printed = seat.run("usage", view).stdout
        assert "\x1b" not in printed
        assert "\x07" not in printed


def test_our_own_runs_are_counted_once_and_exactly(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = with_project(Seat(tmp_path, claude_path, simulator))
    spent = [ask(seat, prompt)["receipt"] for prompt in ("one", "two")]
    kinds = [f"{kind}_tokens" for kind in KINDS]
    expected = [sum(receipt["usage"][kind] for receipt in spent) for kind in kinds]
    (projects,) = [path for path in seat.root.rglob("projects") if list(path.glob("*/*.jsonl"))]
    seat.env["CLAUDE_CONFIG_DIR"] = str(projects.parent)
    for view in VIEWS:
        result = seat.run("usage", view, "--json", "--wallet", "simulator").result
        assert [result["total"][kind] for kind in kinds] == expected, view
        assert (result["total"]["at_least"], result["total"]["answers"]) == (False, 2)
    # Both conversations have transcripts here, and nothing in them is counted a second time.
    assert seat.run("usage", "--json").result["total"]["answers"] == 0
    ledger = seat.ledger.rename(seat.ledger.with_suffix(".aside"))
    (seat.home / "data" / "usage.db").unlink()
    alone = seat.run("usage", "--json").result["total"]
    assert ([alone[kind] for kind in kinds], alone["answers"], alone["at_least"]) == (expected, 2, True)
    assert ledger.exists()


def test_bad_input_is_refused(seat: Seat) -> None:
    refused("usage-unknown-zone", seat, "usage", "--tz", "Europe/Madird")
    refused("usage-unknown-view", seat, "usage", "dayly")
    refused("usage-bad-day", seat, "usage", "--since", "2026-02-31")
    refused("usage-two-forms", seat, "usage", "--csv", "--json")
    refused("usage-plot-nowhere", seat, "usage", "--plot", str(seat.root / "missing" / "usage.svg"))


def test_an_index_that_cannot_be_used_is_named_and_left_alone(seat: Seat) -> None:
    index = seat.home / "data" / "usage.db"
    index.parent.mkdir(parents=True)
    for name, content in (
        ("corrupt", b"no database " * 100),
        ("of-another-program", database(7, 1)),
        ("newer", database(0x6F737573, 99)),
    ):
        index.write_bytes(content)
        refused(f"usage-index-{name}", seat, "usage")
        assert index.read_bytes() == content


def database(application: int, version: int) -> bytes:
    """An SQLite file of this program and version."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(
            f"PRAGMA application_id = {application}; PRAGMA user_version = {version}; CREATE TABLE t (x)"
        )
        return db.serialize()


def test_a_home_that_cannot_be_written_is_said_to_be_so(seat: Seat) -> None:
    (seat.home / "data").mkdir(parents=True)
    (seat.home / "data").chmod(0o500)
    seat.become_ordinary()
    done = refused("usage-home-unwritable", seat, "usage")
    assert done.code == 2
    (seat.home / "data").chmod(0o700)


def test_json_of_a_block_says_how_its_end_is_known(seat: Seat) -> None:
    row = json.loads(seat.run("usage", "blocks", "--json").stdout)["rows"][0]
    assert row["end_reported"] is False
    assert row["key"].endswith(":00:00Z")
