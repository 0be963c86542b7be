"""Types of structured answers: which schema is sent for one, and which value of it the answer becomes."""

from __future__ import annotations

import datetime
import enum
import itertools
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest

from oneseat.contract.errors import UsageError
from oneseat.rules.inputs.answers import FIELD, Refused, answer_of, made
from oneseat.rules.inputs.schemas import check_schema, schema_errors


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
    parent: Order | None = None


@dataclass
class Circle:
    radius: float


@dataclass
class Square:
    side: float


@dataclass
class Cart:
    first: Item
    orders: list[Order]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Painted(TypedDict):
    colour: Colour


class Node(msgspec.Struct):
    value: int
    children: list[Node] = []


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Drawing:
    shape: Circle | Square


class Nothing:
    pass


OWN_DOCUMENT = {
    "$id": "https://example.org/s",
    "type": "array",
    "items": {"$ref": "#/$defs/n"},
    "$defs": {"n": {"type": "null"}},
}
VALUES: list[tuple[Any, Any, Any]] = [
    (Item, {"price": 1}, Item(price=1)),
    (
        Order,
        {"items": [{"price": 1}], "parent": {"items": []}},
        Order(items=[Item(price=1)], parent=Order(items=[])),
    ),
    (Circle, {"radius": 1}, Circle(1.0)),
    (
        Cart,
        {"first": {"price": 1}, "orders": [{"items": []}]},
        Cart(Item(price=1), [Order(items=[])]),
    ),
    (Painted, {"colour": "red"}, {"colour": Colour.RED}),
    (Node, {"value": 1, "children": [{"value": 2}]}, Node(1, [Node(2)])),
    (dict[str, Circle], {"a": {"radius": 2}}, {"a": Circle(2.0)}),
    (dict[int, str], {"1": "one"}, {1: "one"}),
]
WRAPPED: list[tuple[Any, Any, Any]] = [
    (list[Item], [{"price": 1}], [Item(price=1)]),
    (list[Node], [{"value": 1}], [Node(1)]),
    (list[Circle | Square], [{"side": 1}, {"radius": 2}], [Square(1.0), Circle(2.0)]),
    (Circle | Square, {"side": 1}, Square(1.0)),
    (Item | Order, {"items": []}, Order(items=[])),
    (Item | str, "none", "none"),
    (Item | None, None, None),
    (pydantic.RootModel[list[Item]], [{"price": 1}], pydantic.RootModel[list[Item]]([Item(price=1)])),
    (Colour, "blue", Colour.BLUE),
    (Literal["yes", "no"], "no", "no"),
    (Annotated[int, msgspec.Meta(gt=2)], 3, 3),
    (datetime.date, "2026-12-01", datetime.date(2026, 12, 1)),
    (Point, [1, 2], Point(1, 2)),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (bool, True, True),
    ({"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}}, [1], [1]),
    ({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#"}}]}, [1, [2]], [1, [2]]),
    (OWN_DOCUMENT, [None], [None]),
    ({}, 5, 5),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "plain", "value"), VALUES, ids=lambda each: str(each)[:40].partition(" at 0x")[0]
)
def test_an_object_becomes_an_instance(kind: Any, plain: Any, value: Any) -> None:
    schema, shape = answer_of(kind)
    assert (check_schema(schema, "x")["type"], shape.field) == ("object", None)
    assert schema_errors(schema, plain) == []
    assert made(shape, plain) == value


@pytest.mark.parametrize(
    ("kind", "plain", "value"), WRAPPED, ids=lambda each: str(each)[:40].partition(" at 0x")[0]
)
def test_what_is_no_object_is_wrapped_in_one_and_taken_out_again(kind: Any, plain: Any, value: Any) -> None:
    schema, shape = answer_of(kind)
    assert (check_schema(schema, "x")["type"], shape.field) == ("object", FIELD)
    assert schema_errors(schema, {FIELD: plain}) == []
    assert schema_errors(schema, {}) != []
    assert (made(shape, {FIELD: plain}), shape.plain({FIELD: plain})) == (value, plain)


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        ({"$ref": "#/definitions/o", "definitions": {"o": {"type": "object"}}}, {"a": 1}),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, {"a": {"a": {}}}),
    ],
)
def test_a_schema_of_an_object_is_sent_as_one(schema: dict[str, Any], plain: Any) -> None:
    sent, shape = answer_of(schema)
    assert (sent["type"], shape.field, schema_errors(sent, plain), made(shape, plain)) == (
        "object",
        None,
        [],
        plain,
    )


def test_two_classes_of_one_name_keep_their_own_fields() -> None:
    def item(field: str) -> type[pydantic.BaseModel]:
        inner = pydantic.create_model("Inner", **{field: (int, ...)})  # type: ignore[call-overload]
        return pydantic.create_model("Outer", inner=(inner, ...))

    both = msgspec.defstruct("Both", [("left", item("a")), ("right", item("b"))])
    schema, shape = answer_of(both)
    good = {"left": {"inner": {"a": 1}}, "right": {"inner": {"b": 1}}}
    assert schema_errors(schema, good) == []
    assert schema_errors(schema, {"left": good["right"], "right": good["left"]}) != []
    assert not isinstance(made(shape, good), Refused)


@pytest.mark.parametrize(
    ("kind", "structure"),
    [
        (Item, {"price": -1}),
        (list[Item], {FIELD: [{"price": -1}]}),
        (Circle | Square, {FIELD: {"height": 1}}),
        (Colour, {FIELD: "green"}),
    ],
)
def test_a_value_that_the_type_refuses_is_no_answer(kind: Any, structure: Any) -> None:
    refused = made(answer_of(kind)[1], structure)
    assert isinstance(refused, Refused)
    assert refused.why
    assert "\n" not in refused.why


@pytest.mark.parametrize(
    "kind",
    [
        Nothing,
        list[Nothing],
        Drawing,
        Circle(1.0),
        object,
        "Circle",
        3,
        [Circle],
        lambda: 1,
        print,
        Colour.RED,
    ],
    ids=itertools.count(),
)
def test_what_is_no_type_of_json_is_refused(kind: Any) -> None:
    with pytest.raises(UsageError) as refused:
        answer_of(kind)
    assert refused.value.info.code == "usage.bad_schema"
