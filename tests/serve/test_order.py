"""The state machine between a run and the wire."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import ErrorInfo, InternalError
from oneseat.contract.gateway.chat import Begun, Broke, Called, Ended, Piece, Said, ToolUse
from oneseat.contract.receipt import TokenUsage
from oneseat.serve.gateway.order import Order

LETTERS: dict[str, Piece] = {
    "b": Begun("m", TokenUsage()),
    "s": Said("x"),
    "c": Called(ToolUse("i", "n", {})),
    "e": Ended("end_turn", TokenUsage()),
    "x": Broke(ErrorInfo(code="cancelled", message="m")),
}


@given(st.text("bscex", max_size=8))
def test_no_order_of_pieces_but_a_whole_answer_can_leave(word: str) -> None:
    order = Order()
    left = ""
    with contextlib.suppress(InternalError):
        for letter in word:
            order.take(LETTERS[letter])
            left += letter
    assert re.fullmatch("(b[sc]*[ex]?|x)?", left)
    assert order.is_over == left.endswith(("e", "x"))


@pytest.mark.parametrize("word", ["bsce", "be", "bsx", "x", "bcce"])
def test_what_is_in_order_leaves(word: str) -> None:
    order = Order()
    assert [order.take(LETTERS[letter]) for letter in word] == [LETTERS[letter] for letter in word]
    with pytest.raises(InternalError) as late:
        order.take(LETTERS["s"])
    assert late.value.info.code == "bug.event_order"
