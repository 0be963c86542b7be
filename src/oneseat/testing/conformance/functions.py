"""Checks of the caller's functions: called with what the model gave, and the model hears what they return."""

from __future__ import annotations

import asyncio

from oneseat.contract.events import TextDelta, ToolCall, ToolResult
from oneseat.contract.request import Function
from oneseat.rules.inputs.functions import functions_of, tool
from oneseat.testing.replies import Answer, Text, ToolRound, ToolUse

from .bench import Bench, expect, sent_text

_DONE = Answer(content=(Text("it is done"),))


@tool(read_only=True)
async def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


@tool
def fail(reason: str) -> str:
    """Fail."""
    raise ValueError(reason)


def _offered() -> tuple[Function, ...]:
    return functions_of([add, fail])


async def a_function_is_called(bench: Bench) -> None:
    """The model's call reaches the function, and its result the model."""
    provider = bench.play(ToolRound(call=ToolUse("add", {"one": 40, "other": 2}), answer=_DONE))
    turn = await bench.one(provider, bench.request(functions=_offered()))
    expect(turn.text == "it is done" and turn.code is None, f"no answer after the call: {turn.code}")
    calls, results = turn.of(ToolCall), turn.of(ToolResult)
    expect(len(calls) == len(results) == 1, f"{len(calls)} calls and {len(results)} results")
    expect(calls[0].name.endswith("add"), f"another name: {calls[0].name}")
    expect(calls[0].input == {"one": 40, "other": 2}, f"another input: {calls[0].input}")
    expect((results[0].id, results[0].text) == (calls[0].id, "42"), f"another result: {results[0]}")
    expect(turn.events.index(calls[0]) < turn.events.index(results[0]), "the result comes before the call")
    expect(len(bench.requests()) == 2, f"{len(bench.requests())} requests for a call and an answer")
    expect("42" in sent_text(bench.requests()[1]), "the model was not told the result")
    last = [event for event in turn.events if isinstance(event, TextDelta)]
    expect("".join(event.text for event in last) in ("it is done", ""), "the pieces are another text")


async def an_error_is_told_to_the_model(bench: Bench) -> None:
    """A function that raises, and one that gets what it does not take, are answers to the model; the run goes on."""
    provider = bench.play(
        Answer(content=(ToolUse("fail", {"reason": "no such customer"}),)),
        Answer(content=(ToolUse("add", {"one": "forty"}),)),
        _DONE,
    )
    turn = await bench.one(provider, bench.request(functions=_offered()))
    results = turn.of(ToolResult)
    expect(turn.text == "it is done", f"the run did not continue: {turn.code}")
    expect([result.is_error for result in results] == [True, True], f"no errors: {results}")
    expect("no such customer" in sent_text(bench.requests()[1]), "the model was not told why")


async def calls_of_one_answer_go_together(bench: Bench) -> None:
    """Two calls in one answer: both are made, and the model hears of both at once."""
    both = (ToolUse("add", {"one": 1, "other": 1}), ToolUse("add", {"one": 2, "other": 2}))
    provider = bench.play(Answer(content=both), _DONE)
    turn = await bench.one(provider, bench.request(functions=_offered()))
    expect(turn.text == "it is done", f"no answer after the calls: {turn.code}")
    expect(sorted(result.text for result in turn.of(ToolResult)) == ["2", "4"], "a result is missing")
    expect(len(bench.requests()) == 2, f"{len(bench.requests())} requests, not two")


async def calls_end_with_the_caller(bench: Bench) -> None:
    """A function that goes on when the caller leaves is cancelled."""
    begun, ended = asyncio.Event(), asyncio.Event()

    @tool
    async def wait() -> str:
        """Wait for ever."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    provider = bench.play(ToolRound(call=ToolUse("wait", {}), answer=_DONE))
    running = asyncio.ensure_future(bench.one(provider, bench.request(functions=functions_of([wait]))))
    await begun.wait()
    running.cancel()
    await asyncio.wait([running])
    expect(ended.is_set(), "it keeps running after the run ended")
