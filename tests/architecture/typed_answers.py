"""What type checkers say of structured answers: a wrong one of these lines would not type-check.

Never run. `make check` type-checks it with everything else.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, assert_type

import msgspec
import pydantic

import oneseat


class Model(pydantic.BaseModel):
    """A model of pydantic."""

    total: int


@dataclass
class Data:
    """A dataclass."""

    total: int


class Fields(TypedDict):
    """A dictionary with known keys."""

    total: int


class Struct(msgspec.Struct):
    """A struct."""

    total: int


class Colour(enum.Enum):
    """Some words."""

    RED = "red"


def one_answer() -> None:
    """Each type makes a result of it."""
    assert_type(oneseat.run("hi", schema=Model), oneseat.RunResult[Model])
    assert_type(oneseat.run("hi", schema=Model).parsed, Model)
    assert_type(oneseat.run("hi", schema=Data).parsed.total, int)
    assert_type(oneseat.run("hi", schema=Fields).parsed["total"], int)
    assert_type(oneseat.run("hi", schema=Struct).parsed, Struct)
    assert_type(oneseat.run("hi", schema=Colour).parsed, Colour)
    assert_type(oneseat.run("hi", schema=list[Model]).parsed, list[Model])
    assert_type(oneseat.run("hi", schema=list[Model | Data]).parsed, list[Model | Data])
    oneseat.run("hi", schema=Model).parsed.totl  # type: ignore[attr-defined]  # noqa: B018
    oneseat.run("hi", schema=3)  # type: ignore[arg-type]


def no_type() -> None:
    """Without a type, or with a form that checkers have no type for, the answer may be anything."""
    assert_type(oneseat.run("hi"), oneseat.RunResult[Any])
    assert_type(oneseat.run("hi", schema={"type": "object"}).parsed, Any)
    assert_type(oneseat.run("hi", schema=Literal["yes", "no"]).parsed, Any)
    # Of an operator, mypy sees the first member alone; said beforehand, it is right.
    either: oneseat.RunResult[Model | Data] = oneseat.run("hi", schema=Model | Data)
    assert_type(either.parsed, Model | Data)


async def every_way_in(app: oneseat.App, untyped: oneseat.RunResult) -> None:
    """The type goes from the request to the result."""
    request = oneseat.make_request("hi", schema=Model)
    assert_type(request, oneseat.Request[Model])
    assert_type(oneseat.run(request).parsed, Model)
    assert_type((await app.run(request)).parsed, Model)
    assert_type((await app.run("hi", schema=list[Data])).parsed, list[Data])
    assert_type(oneseat.in_project(request, "shop"), oneseat.Request[Model])
    async with app.stream("hi", schema=Model) as stream:
        assert_type(stream.result, oneseat.RunResult[Model] | None)
    assert_type(untyped.parsed, Any)


def wrong_options() -> None:
    """Options have types, and there are no others."""
    oneseat.run("hi", timeout_s="5")  # type: ignore[arg-type]
    oneseat.run("hi", modle="opus")  # type: ignore[call-arg]
    oneseat.run("hi", permission_mode="never")  # type: ignore[arg-type]
