"""A schema whose pattern takes for ever on an answer: everything else goes on, and the run ends as its owner says."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from oneseat.app import wiring
from oneseat.contract.errors import OneseatError, UsageError
from oneseat.rules.inputs.schemas import check_schema, is_quick
from oneseat.testing import Behaviour
from oneseat.testing.fake_cli import Result, Say
from tests.e2e.driving import Seat, fake_seat
from tests.e2e.serving import serving

ENDLESS = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}, "required": ["a"]}
ANSWER = {"a": "a" * 40 + "!"}


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    text = json.dumps(ANSWER)
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say(text), Result(text))))
    (seat.cwd / "endless.json").write_text(json.dumps(ENDLESS), "utf-8")
    return seat


def test_the_time_limit_holds(seat: Seat) -> None:
    ended = seat.run("run", "--json", "--schema", "endless.json", "--timeout", "2", "give")
    assert (ended.code, ended.result["error"]["code"]) == (6, "timeout.total")
    assert json.loads(ended.result["text"]) == ANSWER
    seat.assert_nothing_left()


def test_a_signal_ends_it_and_a_server_goes_on(seat: Seat) -> None:
    with serving(seat):
        with seat.start("run", "--stream-json", "--schema", "endless.json", "give") as client:
            client.read_until("a" * 40)
            assert seat.run("status", "--json").result["server"]["runs"] != []
            client.signal()
            assert client.finish().code == 130
        assert seat.run("status", "--json").result["server"]["runs"] == []
    seat.assert_nothing_left()


async def test_the_event_loop_goes_on_and_the_limit_ends_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "_CHECK_S", 1.0)
    ticks, began = 0, time.monotonic()
    check = asyncio.ensure_future(wiring.check_answer(ENDLESS, ANSWER))
    while not check.done():
        await asyncio.sleep(0)
        ticks += 1
    with pytest.raises(OneseatError) as raised:
        check.result()
    assert raised.value.info.code == "incomplete.schema_unchecked"
    assert (ticks > 10, time.monotonic() - began < 8) == (True, True)
    assert _workers() == []


async def test_a_cancelled_check_leaves_no_process() -> None:
    check = asyncio.ensure_future(wiring.check_answer(ENDLESS, ANSWER))
    async with asyncio.timeout(30):
        while not _workers():  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(0)
    check.cancel()
    await asyncio.wait({check})
    assert _workers() == []


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        (ENDLESS, {"a": "aaa"}, 0),
        (ENDLESS, {"a": "b"}, 1),
        ({"type": "object", "properties": {"a": {"uniqueItems": True}}}, {"a": [1, 1]}, 1),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": 1}, 1),
    ],
)
async def test_what_is_checked_elsewhere_is_checked_as_well(
    schema: dict[str, Any], value: object, found: int
) -> None:
    assert len(await wiring.check_answer(schema, value)) == found


async def test_a_tree_of_references_is_checked_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "_CHECK_S", 1.0)
    levels = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(40)}
    schema = {"type": "object", "$ref": "#/$defs/l0", "$defs": {**levels, "l40": {"type": "object"}}}
    with pytest.raises(OneseatError) as raised:
        await wiring.check_answer(schema, {})
    assert raised.value.info.code == "incomplete.schema_unchecked"


def test_only_what_is_quick_is_checked_here() -> None:
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert is_quick(plain, {"a": "b"})
    assert not is_quick(plain, {"a": "b" * 60_000})
    assert not is_quick(ENDLESS, {"a": "b"})


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(5_000):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(UsageError) as raised:
        check_schema(schema, "deep.json")
    assert raised.value.info.code == "usage.bad_schema"


def _workers() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children() if "encoded_errors" in str(child.as_dict(["cmdline"]))
    ]
