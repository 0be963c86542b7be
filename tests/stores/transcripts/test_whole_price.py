"""What an answer costs beside its own counts: the advisor, summaries of the server, web searches, tools that are paid by use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oneseat.contract.budgets import Price
from oneseat.stores.transcripts.index import IndexSpec, open_if_fresh, refresh
from oneseat.testing.corpus import Tokens

from .indexed import PRICE, Row, ask, rows_of
from .test_same_answer import line, write

SEARCHED = {"web_search_requests": 40, "web_fetch_requests": 3}


def with_usage(**usage: Any) -> dict[str, Any]:
    """An answer of 10 tokens in and 100 out, with more fields of its usage."""
    answer = line()
    answer["message"]["usage"].update(usage)
    return answer


def iteration(kind: Any, model: str | None = None, sent: Any = 1000, output: Any = 50) -> dict[str, Any]:
    return {"type": kind, "model": model, "input_tokens": sent, "output_tokens": output}


def priced_at(price: Price | None) -> Callable[[str], list[tuple[int, Price | None]]]:
    return lambda _: [(0, price)]


def by_model(rows: list[Row]) -> dict[str, Tokens]:
    return {row.model: row.tokens for row in rows}


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_the_advisor_is_counted_with_its_model_and_a_summary_with_that_of_the_answer(
    size: int, tmp_path: Path
) -> None:
    iterations = [
        iteration("message", output=45),
        iteration("advisor_message", "claude-opus-4-7", 159_419, 7805),
        iteration("fallback_message", "claude-haiku-4-5"),
        iteration("compaction", sent=5000, output=300),
        iteration("of_tomorrow"),
    ]
    answer = with_usage(iterations=iterations)
    # A large file is read by the fast reader.
    write(tmp_path, {"s-1": [answer, {"type": "user", "text": "x" * size}]})
    for _ in range(2):
        asked = ask(tmp_path / "usage.db", [tmp_path])
        assert by_model(asked.rows) == {
            "claude-opus-4-7": Tokens(159_419, 7805),
            "claude-sonnet-5-5": Tokens(5010, 400),
        }
        write(tmp_path, {"s-2": [answer, answer]})


def test_what_cannot_be_read_of_the_further_requests_costs_no_answer(tmp_path: Path) -> None:
    bad: list[Any] = [
        iteration("advisor_message", output=-1),
        iteration("advisor_message", output=None, sent=None),
        iteration([]),
        7,
    ]
    answers = [with_usage(iterations=[each]) for each in bad]
    answers += [with_usage(iterations="x"), with_usage(server_tool_use={"web_search_requests": "many"})]
    for number, answer in enumerate(answers):
        write(tmp_path, {f"s-{number}": [{**answer, "sessionId": f"s-{number}", "uuid": f"u-{number}"}]})
    asked = ask(tmp_path / "usage.db", [tmp_path])
    assert (asked.total, asked.notes) == (Tokens(60, 600), {"wrong_shape": 3})


def test_web_searches_are_in_the_list_price_or_known_not_to_be(tmp_path: Path) -> None:
    write(tmp_path, {"s-1": [with_usage(server_tool_use=SEARCHED)]})
    listed = (10 * 3 + 100 * 15) / 1_000_000
    known = Price(rates=PRICE.rates, table="test", web_search=0.01)
    for name, price, expected in (
        ("unknown", PRICE, (listed, 40, 40)),
        ("known", known, (listed + 0.4, 40, 0)),
        ("model", None, (None, 40, 40)),
    ):
        spec = IndexSpec(str(tmp_path / f"{name}.db"), [str(tmp_path)], "", "UTC", name)
        _, walk = open_if_fresh(spec)
        (row,), _ = rows_of(refresh(spec, walk, lambda _: 0, priced_at(price)))
        assert (row.listed, row.searches, row.unpriced_searches) == pytest.approx(expected)


@pytest.mark.parametrize(("tool", "special"), [("web_fetch_requests", 0), ("robot_requests", 1)])
def test_another_tool_that_may_be_paid_by_use_is_special(tool: str, special: int, tmp_path: Path) -> None:
    write(tmp_path, {"s-1": [with_usage(server_tool_use={tool: 2})]})
    (row,) = ask(tmp_path / "usage.db", [tmp_path]).rows
    assert row.special == special
