"""What is known about plans, and the owner's own entries over it."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.stores import plans
from oneseat.stores.plans import line_of, read_plans
from oneseat.stores.prices import PriceTable

from .making import refused

MINE: dict[str, Any] = {
    "id": "pro",
    "name": "Mine",
    "price_usd_month": 15,
    "api_credit_usd": None,
    "source": "my invoice",
    "as_of": "2026-11-20",
}


def test_every_bundled_entry_has_a_source_and_a_date_and_every_model_a_price(tmp_path: Path) -> None:
    book = read_plans(tmp_path / "plans.json")
    dated = [*book.plans, *book.requests, *book.notices]
    assert [entry.id for entry in dated if not entry.source or date.fromisoformat(entry.as_of) is None] == []
    assert [each.id for each in book.alternatives if PriceTable().of(each.id) is None] == []
    assert [entry.id for entry in book.plans if entry.price_usd_month == 0] == []
    assert date.fromisoformat(PriceTable().stamp().as_of) >= date(2026, 11, 20)
    assert PriceTable().stamp().source.startswith("https://")
    for entries in (book.plans, book.classes, book.alternatives, book.requests, book.notices):
        ids = [entry.id for entry in entries]
        assert len(ids) == len(set(ids))


def test_an_entry_of_the_owner_takes_the_place_of_one_with_its_id_and_no_other(tmp_path: Path) -> None:
    bundled = read_plans(tmp_path / "none.json")
    own = tmp_path / "plans.json"
    own.write_text(json.dumps({"plans": [MINE, {**MINE, "id": "new"}]}), "utf-8")
    book = read_plans(own)
    found = {plan.id: plan for plan in book.plans}
    assert (found["pro"].name, found["pro"].price_usd_month, found["pro"].api_credit_usd) == (
        "Mine",
        15,
        None,
    )
    assert found["new"].source == "my invoice"
    assert [plan for plan in bundled.plans if plan.id != "pro"] == [
        plan for plan in book.plans if plan.id not in ("pro", "new")
    ]
    assert book.classes == bundled.classes


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "truncated"),
        ('{"plans":\n[', 2, "truncated"),
        ('{"plans": [],\n}', 2, "JSON is malformed"),
        ("[]", 1, "expected `object`, got `array`"),
        ('{\n"plans": [],\n"planes": []}', 3, "`planes`: object contains unknown field"),
        ('{"plans": [\n{"id": "a",\n "name": 7}]}', 3, "`plans[0].name`: expected `str`, got `int`"),
        (
            json.dumps({"plans": [MINE, {**MINE, "price_usd_month": -1}]}, indent=1),
            14,
            "`plans[1].price_usd_month`",
        ),
        (json.dumps({"plans": [{**MINE, "as_of": "yesterday"}]}, indent=1), 9, "`plans[0].as_of`"),
        (json.dumps({"plans": [{**MINE, "name": "a\x1b[31m"}]}, indent=1), 5, "`plans[0].name`"),
        (json.dumps({"plans": [{**MINE, "price": 1}]}, indent=1), 10, "`plans[0].price`"),
        (json.dumps({"enough": {"days": 0}}, indent=1), 3, "`enough.days`"),
        ('{"plans": [{"id": 1, "x": {{{', 1, "malformed"),
        ("[" * 100_000, 1, ""),
    ],
)
def test_a_broken_file_is_refused_with_line_and_key(tmp_path: Path, text: str, line: int, why: str) -> None:
    own = tmp_path / "plans.json"
    own.write_text(text, "utf-8")
    error = refused(lambda: read_plans(own))
    assert error.code == "usage.bad_plans_file"
    assert f"`{own}:{line}`" in error.message
    assert why in error.message
    assert "\x1b" not in error.message


def test_what_is_no_file_of_text_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "plans.json"
    own.write_bytes(b'{\n"\xff')
    assert f"`{own}:2`" in refused(lambda: read_plans(own)).message
    own.write_bytes(b" " * 300_000)
    assert "at most" in refused(lambda: read_plans(own)).message
    own.unlink()
    os.mkfifo(own)
    assert "not a file" in refused(lambda: read_plans(own)).message


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"\A[a-z]{1,3}\Z"), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_a_place_is_found_in_any_json(value: object) -> None:
    text = json.dumps(value, indent=1)
    lines = text.split("\n")
    for path, inner in places(value, "$"):
        begins = json.dumps(inner, indent=1).split("\n", 1)[0].rstrip("{}[]").rstrip("{[")
        assert begins in lines[line_of(text, path) - 1]


def places(value: object, path: str) -> list[tuple[str, object]]:
    """Every value inside of one, with its path."""
    found: list[tuple[str, object]] = [(path, value)]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, f"{path}.{name}")
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, f"{path}[{number}]")
    return found


def test_the_bundled_file_is_what_its_types_say() -> None:
    raw = msgspec.json.decode(plans._FILE.read_bytes())
    assert {status for entry in raw["notices"] if (status := entry.get("status"))} == {"paused"}
