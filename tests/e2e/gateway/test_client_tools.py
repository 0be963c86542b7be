"""The client's own tools: the stream ends at the call, the run waits, and the result goes on with the same turn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oneseat.app.runs import find_run, find_runs
from oneseat.contract.history import RunFilter
from oneseat.testing import Answer, Simulator, Text, ToolUse
from oneseat.testing.replies import Structured

from .served import Served, ask, sent

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
LONG = "a_tool.whose-name" + "-is-very-long" * 3
FUNCTIONS = [
    {
        "type": "function",
        "function": {"name": name, "description": "d", "parameters": {"type": "object", "properties": {}}},
    }
    for name in ("get_weather", LONG)
]
DONE = Answer(content=(Text("It is sunny."),))


def call(city: str, name: str = "mcp__oneseat__get_weather") -> ToolUse:
    return ToolUse(name, {"city": city})


def results(*given: tuple[str, str], is_error: bool = False, text: str | None = None) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [
        {"type": "tool_result", "tool_use_id": each, "content": said, "is_error": is_error}
        for each, said in given
    ]
    return {"role": "user", "content": [*blocks, *([{"type": "text", "text": text}] if text else [])]}


async def asked(gateway: Served, messages: list[dict[str, Any]], **more: Any) -> tuple[str, Any]:
    """How the history came to the model, and the message."""
    raw = await gateway.anthropic.messages.with_raw_response.create(
        model="sonnet", max_tokens=100, messages=messages, tools=[WEATHER], **more
    )
    return raw.headers["oneseat-history"], await raw.parse()


def after(messages: list[dict[str, Any]], message: Any, answer: dict[str, Any]) -> list[dict[str, Any]]:
    content = [block.model_dump(exclude_none=True) for block in message.content]
    return [*messages, {"role": "assistant", "content": content}, answer]


async def test_parallel_calls_are_all_handed_over_and_answered_in_the_same_turn(
    real: Served, simulator: Simulator
) -> None:
    two = Answer(content=(Text("Let me look."), call("Paris"), call("Oslo")))
    simulator.script("play", [two, Answer(content=(call("Paris"),)), DONE])
    messages = ask("weather?")
    how, message = await asked(real, messages)
    assert (how, message.stop_reason) == ("fresh", "tool_use")
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    first, second = message.content[1:]
    assert ((first.name, first.input), (second.name, second.input)) == (
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Oslo"}),
    )
    (waiting,) = find_runs(real.here, RunFilter()).runs
    assert waiting.status == "running"

    messages = after(messages, message, results((second.id, "rain"), (first.id, "sun"), text="Be quick."))
    how, message = await asked(real, messages)
    assert (how, message.stop_reason) == ("parked", "tool_use")
    said = {
        block["tool_use_id"]: block["content"]
        for block in sent(simulator)[1][-1]["content"]
        if "tool_use_id" in block
    }
    assert json.dumps(said[first.id]).count("sun") == 1
    assert "Be quick." in json.dumps(said[first.id])
    assert json.dumps(said[second.id]).count("rain") == 1

    how, message = await asked(real, after(messages, message, results((message.content[0].id, "sun"))))
    assert (how, message.stop_reason, message.content[0].text) == ("parked", "end_turn", "It is sunny.")
    (run,) = find_runs(real.here, RunFilter()).runs
    assert (run.id, run.status) == (waiting.id, "completed")
    assert len(simulator.messages()) == 3


async def test_a_stream_ends_at_the_call_and_a_failed_tool_is_told_as_one(
    real: Served, simulator: Simulator
) -> None:
    simulator.script("play", [Answer(content=(call("Paris"),)), DONE])
    messages = ask("weather?")
    async with real.anthropic.messages.stream(
        model="sonnet", max_tokens=100, messages=messages, tools=[WEATHER]
    ) as stream:
        kinds = [event.type async for event in stream]
        message = await stream.get_final_message()
    assert (kinds[-1], message.stop_reason) == ("message_stop", "tool_use")
    failed = results((message.content[0].id, "no network"), is_error=True)
    how, message = await asked(real, after(messages, message, failed))
    (block,) = [each for each in sent(simulator)[1][-1]["content"] if each["type"] == "tool_result"]
    assert (how, block["is_error"], "no network" in json.dumps(block)) == ("parked", True, True)


async def test_openais_apis_call_tools_by_the_clients_own_names(real: Served, simulator: Simulator) -> None:
    simulator.script("play", [Answer(content=(call("Paris"),)), DONE])
    messages = ask("weather?")
    answer = await real.openai.chat.completions.create(model="sonnet", messages=messages, tools=FUNCTIONS)
    (choice,) = answer.choices
    (made,) = choice.message.tool_calls
    assert (choice.finish_reason, made.function.name, json.loads(made.function.arguments)) == (
        "tool_calls",
        "get_weather",
        {"city": "Paris"},
    )
    offered = [
        tool["name"] for tool in simulator.messages()[0].body["tools"] if tool["name"].startswith("mcp__")
    ]
    assert "mcp__oneseat__get_weather" in offered
    assert [len(name) <= 64 for name in offered] == [True, True]
    messages = [*messages, choice.message.model_dump(exclude_none=True)]
    messages.append({"role": "tool", "tool_call_id": made.id, "content": "sun"})
    raw = await real.openai.chat.completions.with_raw_response.create(
        model="sonnet", messages=messages, tools=FUNCTIONS
    )
    assert raw.headers["oneseat-history"] == "parked"

    simulator.clear()
    tools = [{"type": "function", **FUNCTIONS[0]["function"]}]  # type: ignore[dict-item]
    response = await real.openai.responses.create(model="sonnet", input=ask("weather?"), tools=tools)
    (item,) = response.output
    output = {"type": "function_call_output", "call_id": item.call_id, "output": "sun"}
    turns = [*ask("weather?"), item.model_dump(exclude_none=True), output]
    response = await real.openai.responses.create(model="sonnet", input=turns, tools=tools)
    assert response.output_text == "It is sunny."


async def test_a_result_that_nobody_waits_for_any_more_is_rendered_into_a_fresh_conversation(
    real: Served, simulator: Simulator
) -> None:
    simulator.script("play", [Answer(content=(call("Paris"),)), DONE])
    messages = ask("weather?")
    _, message = await asked(real, messages)
    messages = after(messages, message, results((message.content[0].id, "sun & <rain>")))
    # Other instructions than the run that waits has: it is another conversation.
    how, message = await asked(real, messages, system="Be loud.")
    assert (how, message.content[0].text) == ("rendered", "It is sunny.")
    text = sent(simulator)[1][0]["content"][-1]["text"]
    assert "mcp__oneseat__get_weather" in text
    assert "sun &" in text


async def test_a_tool_that_must_be_called_is_called_with_arguments_that_fit(
    real: Served, simulator: Simulator
) -> None:
    simulator.script("play", [Answer(content=(Structured({"city": "Oslo"}),))])
    _, message = await asked(real, ask("weather?"), tool_choice={"type": "tool", "name": "get_weather"})
    (block,) = message.content
    assert (message.stop_reason, block.type, block.name, block.input) == (
        "tool_use",
        "tool_use",
        "get_weather",
        {"city": "Oslo"},
    )


async def test_one_of_several_tools_that_must_be_called_is_called(real: Served, simulator: Simulator) -> None:
    made = {"call": {"name": LONG, "arguments": {"place": {"city": "Oslo"}}}}
    simulator.script("play", [Answer(content=(Structured(made),))])
    place = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    nested = {"type": "object", "properties": {"place": {"$ref": "#/$defs/Place"}}, "$defs": {"Place": place}}
    tools = [FUNCTIONS[0], {"type": "function", "function": {"name": LONG, "parameters": nested}}]
    answer = await real.openai.chat.completions.create(
        model="sonnet", messages=ask("where?"), tools=tools, tool_choice="required"
    )
    (choice,) = answer.choices
    (called,) = choice.message.tool_calls
    assert (choice.finish_reason, called.function.name) == ("tool_calls", LONG)
    assert json.loads(called.function.arguments) == {"place": {"city": "Oslo"}}


async def test_runs_that_wait_are_bounded_and_all_end_with_the_server(
    real: Served, simulator: Simulator
) -> None:
    simulator.script("play", [Answer(content=(call("Paris"),))])
    await asked(real, ask("weather?"))
    metrics = (await real.send("GET", "/metrics")).text
    assert "oneseat_runs_parked 1\n" in metrics
    await real.gateway._talks.close()
    (run,) = find_runs(real.here, RunFilter()).runs
    assert run.status == "cancelled"


async def test_a_client_that_goes_away_ends_its_run(real: Served, simulator: Simulator) -> None:
    slow = Answer(content=(Text("one two three four five six seven eight"),), pace_s=0.5)
    simulator.script("play", [slow])
    stream = await real.openai.chat.completions.create(model="sonnet", messages=ask("count"), stream=True)
    run_id = stream.response.headers["oneseat-run-id"]
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    while real.gateway._talks.counts().active:
        await real.send("GET", "/healthz")
    result = find_run(real.here, run_id).result
    assert result is not None
    assert result.status == "cancelled"


@pytest.mark.parametrize("name", ["mcp__oneseat__x", "get_weather"])
async def test_names_that_collide_are_refused(quick: Served, name: str) -> None:
    tools = [WEATHER, {**WEATHER, "name": name}]
    said = await quick.send(
        "POST",
        "/v1/messages",
        json={"model": "sonnet", "max_tokens": 1, "messages": ask("hi"), "tools": tools},
    )
    assert (said.status_code, f"`{name}`" in said.text) == (400, True)
