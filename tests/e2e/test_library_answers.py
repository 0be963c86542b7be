"""Structured answers as the caller's own types, from the schema that is sent to the instance that comes back."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pydantic
import pytest

import oneseat
from oneseat.testing import Behaviour, Simulator
from oneseat.testing.fake_cli import Result

from .driving import Seat, fake_seat, live_in


class Item(pydantic.BaseModel):
    price: int

    @pydantic.field_validator("price")
    @classmethod
    def not_negative(cls, value: int) -> int:
        if value < 0:
            raise ValueError("a price is not negative")
        return value


class Order(pydantic.BaseModel):
    items: list[Item]
    parent: Item | None


def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, structure: Any) -> Seat:
    """A seat whose CLI answers with this JSON."""
    text = json.dumps(structure)
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Result(text),)))
    live_in(seat, monkeypatch)
    return seat


def test_the_answer_is_an_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(tmp_path, monkeypatch, {"items": [{"price": 1}], "parent": None})
    result = oneseat.run("hello", schema=Order)
    assert result.parsed == Order(items=[Item(price=1)], parent=None)
    assert result.structured == {"items": [{"price": 1}], "parent": None}
    again = pickle.loads(pickle.dumps(result))
    assert (again, again.parsed) == (result, result.parsed)


def test_a_list_is_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seat = answering(tmp_path, monkeypatch, {"answer": [{"price": 1}, {"price": 2}]})
    result = oneseat.run("hello", schema=list[Item])
    assert result.parsed == [Item(price=1), Item(price=2)]
    assert result.structured == [{"price": 1}, {"price": 2}]
    # The ledger keeps what the caller got.
    assert seat.run("show", result.run_id, "--json").result["result"]["structured"] == result.structured


def test_a_schema_without_a_type_gives_plain_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(tmp_path, monkeypatch, {"answer": ["a"]})
    result = oneseat.run("hello", schema={"type": "array", "items": {"type": "string"}})
    assert (result.parsed, result.structured) == (["a"], ["a"])
    assert oneseat.run("hello").parsed is None


def test_what_the_type_refuses_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(tmp_path, monkeypatch, {"price": -1})
    with pytest.raises(oneseat.RunFailed) as failed:
        oneseat.run("hello", schema=Item)
    assert failed.value.info.code == "incomplete.schema_unmet"
    assert "a price is not negative" in failed.value.info.message
    unchecked = oneseat.run("hello", schema=Item, check=False)
    assert unchecked.structured == {"price": -1}
    with pytest.raises(oneseat.RunFailed) as no_answer:
        _ = unchecked.parsed
    assert no_answer.value.result is unchecked


async def test_every_way_in_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(tmp_path, monkeypatch, {"price": 1})
    request = oneseat.make_request("hello", schema=Item)
    async with oneseat.connect() as app:
        results = [await app.run("hello", schema=Item), await app.run(request)]
        async with app.stream("hello", schema=Item) as stream:
            last = [event async for event in stream][-1]
        async with app.conversation() as talk:
            results.append(await talk.run("hello", schema=Item))
    assert stream.result is not None
    assert isinstance(last, oneseat.events.Finished)
    assert [each.parsed for each in (*results, stream.result, last.result)] == [Item(price=1)] * 5


def test_the_official_cli_holds_the_model_to_a_list_of_nested_models(
    tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = Seat(tmp_path, claude_path, simulator, play="structured")
    live_in(seat, monkeypatch)
    result = oneseat.run("hello", schema=list[Order])
    assert all(isinstance(order, Order) for order in result.parsed)
    (request,) = simulator.messages()
    assert "StructuredOutput" in {tool["name"] for tool in request.body["tools"]}
    assert result.text == json.dumps(result.structured, separators=(",", ":"))
    schema = tmp_path / "list.json"
    schema.write_text('{"type": "array", "items": {"type": "integer"}, "minItems": 1}')
    printed = seat.run("run", "--quiet", "--schema", str(schema), "hello")
    assert (printed.code, isinstance(json.loads(printed.stdout), list)) == (0, True)
