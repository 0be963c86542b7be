"""An answer is counted once, whoever makes the ids: the vendor's are unique, a gateway's may begin anew or never change."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.stores.transcripts.schema import SCHEMA
from oneseat.testing.corpus import Tokens

from .indexed import Asked, ask

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
#: An id as the vendor makes them, and one of a gateway.
OF_THE_VENDOR, OF_A_GATEWAY = "msg_01XFDUDYJgAACzvnptvVoYEL", "msg_1"


def line(
    session: str = "s-1",
    minutes: float = 0.0,
    *,
    id: str = OF_A_GATEWAY,  # noqa: A002 - the vendor's name
    uuid: str | None = None,
    sent: int = 10,
    output: int = 100,
    **fields: Any,
) -> dict[str, Any]:
    """A line with an answer, so many minutes after noon."""
    at = (NOON + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    usage = {"input_tokens": sent, "output_tokens": output}
    return {
        "isSidechain": False,
        "message": {"id": id, "model": "claude-sonnet-5-5", "usage": usage},
        "type": "assistant",
        "uuid": uuid or f"{session} {minutes} {output} {id}",
        "timestamp": at,
        "cwd": "/home/me",
        "sessionId": session,
        **fields,
    }


def counted(root: Path, files: dict[str, list[dict[str, Any]]]) -> Asked:
    """What the index says of these transcripts."""
    write(root, files)
    return ask(root / "usage.db", [root])


def write(root: Path, files: dict[str, list[dict[str, Any]]]) -> None:
    for name, lines in files.items():
        path = root / "projects" / "-home-me" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")


def answers(asked: Asked) -> int:
    return sum(row.answers for row in asked.rows)


@pytest.mark.parametrize("request_id", [None, "req_1"])
def test_an_id_of_two_conversations_is_two_answers(request_id: str | None, tmp_path: Path) -> None:
    files = {name: [line(name, requestId=request_id)] for name in ("s-1", "s-2")}
    files["s-2"][0]["timestamp"] = "2026-11-20T12:00:01.000Z"
    asked = counted(tmp_path, files)
    assert (answers(asked), asked.total) == (2, Tokens(20, 200))
    assert asked.sessions == {"s-1": Tokens(10, 100), "s-2": Tokens(10, 100)}


def test_an_id_of_two_conversations_at_one_moment_is_two_answers(tmp_path: Path) -> None:
    assert answers(counted(tmp_path, {name: [line(name)] for name in ("s-1", "s-2")})) == 2


def test_an_id_that_comes_again_later_is_another_answer(tmp_path: Path) -> None:
    lines = [line(minutes=minutes, output=100 + minutes) for minutes in (0, 45, 24 * 60)]
    asked = counted(tmp_path, {"s-1": lines})
    assert (answers(asked), asked.total.output) == (3, 300 + 45 + 24 * 60)


def test_every_answer_of_a_gateway_with_one_id_counts(tmp_path: Path) -> None:
    # A tool loop: an answer every ten seconds, each with a longer prompt, and several blocks of each.
    lines = [
        line(minutes=turn / 6 + block / 100, sent=1000 + 50 * turn, output=turn + 10)
        for turn in range(30)
        for block in range(3)
    ]
    asked = counted(tmp_path, {"s-1": lines})
    assert (answers(asked), asked.total.output) == (30, sum(range(10, 40)))


def test_blocks_of_an_answer_are_one(tmp_path: Path) -> None:
    blocks = [line(minutes=0, sent=0, output=1), line(minutes=3), line(minutes=6)]
    assert counted(tmp_path / "gateway", {"s-1": blocks}).total == Tokens(10, 100)
    named = [line(minutes=at, id=OF_THE_VENDOR, requestId="req_1") for at in (0, 14, 28, 42)]
    assert answers(counted(tmp_path / "vendor", {"s-1": named})) == 1


@pytest.mark.parametrize("id_", [OF_THE_VENDOR, OF_A_GATEWAY])
def test_forks_and_replays_add_nothing(id_: str, tmp_path: Path) -> None:
    first = line(id=id_, requestId="req_1")
    fork = {**first, "sessionId": "s-2", "uuid": "other", "requestSessionId": "s-1"}
    branch = {**first, "sessionId": "s-3", "forkedFrom": {"sessionId": "s-1", "messageUuid": first["uuid"]}}
    copy_of_an_old_cli = {**first, "sessionId": "s-4"}
    replay = {**first, "isSidechain": True, "requestId": "req_2", "uuid": "replay"}
    replay["message"] = {**first["message"], "usage": {"input_tokens": 9999, "output_tokens": 9999}}
    undated = {**first, "timestamp": None, "uuid": "undated"}
    copies = (fork, branch, replay, undated, copy_of_an_old_cli)
    for number, also in enumerate(copies):
        asked = counted(tmp_path / str(number), {"a": [first], "b": [also]})
        assert (answers(asked), asked.total) == (1, Tokens(10, 100)), also
        # The copy of an old CLI does not say of which conversation it is.
        assert set(asked.sessions) == {"s-1"} or also is copy_of_an_old_cli


def test_an_answer_of_another_conversation_with_an_id_of_our_run_counts(tmp_path: Path) -> None:
    ask(tmp_path / "usage.db", [tmp_path])
    at = int(NOON.timestamp() * 1000)
    with contextlib.closing(sqlite3.connect(tmp_path / "usage.db")) as db, db:
        run = ("run_1", at - 1000, at + 1000, "s-1", "/home/me", "claude-sonnet-5-5", "plan")
        db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, 0.0, 0.5, 1, 10, 100, 0, 0, 0, 0)", run)
        db.execute("INSERT INTO asked VALUES (?, 'run_1')", (OF_A_GATEWAY,))
    asked = counted(tmp_path, {"s-1": [line()], "s-2": [line("s-2", minutes=90)]})
    assert asked.sessions == {"s-1": Tokens(10, 100), "s-2": Tokens(10, 100)}
    assert sorted(row.source for row in asked.rows) == ["run", "transcript"]


@st.composite
def sightings(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Lines with one id, of a few conversations and times, some of them copies of each other."""
    lines = [
        line(
            draw(st.sampled_from(["s-1", "s-2"])),
            draw(st.sampled_from([0, 0.5, 7, 13, 59, 61, 200])),
            id=draw(st.sampled_from([OF_THE_VENDOR, OF_A_GATEWAY])),
            uuid=draw(st.sampled_from(["u-1", "u-2", "u-3"])),
            sent=draw(st.sampled_from([0, 10, 20])),
            output=draw(st.sampled_from([1, 100, 200])),
            isSidechain=draw(st.booleans()),
            requestId=draw(st.sampled_from([None, "req_1", "req_2"])),
        )
        for _ in range(draw(st.integers(1, 7)))
    ]
    for each in lines:
        if draw(st.integers(0, 9)) == 0:
            each["timestamp"] = None
    return lines


@settings(max_examples=40)
@given(sightings(), st.randoms(use_true_random=False))
def test_the_order_and_the_number_of_sightings_change_nothing(
    lines: list[dict[str, Any]], chance: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expected = counted(Path(folder) / "once", {"a": lines})
        again = [*lines, *chance.sample(lines, chance.randint(0, len(lines)))]
        chance.shuffle(again)
        cut = chance.randint(0, len(again))
        root = Path(folder) / "again"
        write(root, {"a": again[:cut]})
        ask(root / "usage.db", [root])
        asked = counted(root, {"a": again[:cut], "b": again[cut:]})
        assert (rows(asked), 1 <= answers(asked) <= len(lines)) == (rows(expected), True)


def rows(asked: Asked) -> list[str]:
    return sorted(map(repr, asked.rows))


def test_an_index_of_the_schema_before_keeps_what_was_deleted(tmp_path: Path) -> None:
    write(tmp_path, {"s-1": [line(id=OF_THE_VENDOR, requestId="req_1")]})
    with contextlib.closing(sqlite3.connect(tmp_path / "usage.db")) as db:
        db.executescript((Path(__file__).parent / "schema_3.sql").read_text("utf-8"))
    asked = ask(tmp_path / "usage.db", [tmp_path])
    # One answer of a transcript that is gone, and one that is found again in its own.
    assert (answers(asked), asked.total) == (2, Tokens(10 + 7, 100 + 70))
    assert {row.project for row in asked.rows} == {"-home-me-gone", "/home/me"}
    with contextlib.closing(sqlite3.connect(tmp_path / "usage.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert db.execute("SELECT folder, directory FROM projects ORDER BY 1").fetchall() == [
            ("-home-me", "/home/me"),
            ("-home-me-gone", "/home/me/gone"),
        ]
