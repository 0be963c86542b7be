"""Any text can be stored and comes back as it was; what is no text comes back visibly escaped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, Message, ToolCall, ToolResult, Unknown, UsageSeen
from oneseat.contract.receipt import TokenUsage
from oneseat.rules.redaction import redact
from oneseat.stores.ledger.reader import LedgerReader
from oneseat.stores.ledger.serialise import EventSerialiser
from oneseat.stores.ledger.writer import LedgerWriter

from .making import make_request, make_result, make_writer

# Every code point, the lone surrogates too, which no encoding of text allows.
ANY_TEXT = st.text(st.characters(exclude_categories=()))
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT
)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=12
)
numbers = itertools.count()

# The file is shared by the examples of a test: each writes a run of its own.
shared_file = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


class Ledger:
    """A writer and a reader of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: LedgerWriter = make_writer(path)
        self.reader = LedgerReader(path)

    def close(self) -> None:
        self.writer.close()
        self.reader.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "runs.db")
    yield ledger
    ledger.close()


def visible(value: Any) -> Any:
    """``value`` with every lone surrogate as its escape, which is all that may change."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {visible(key): visible(item) for key, item in value.items()}
    return [visible(item) for item in value] if isinstance(value, list) else value


@shared_file
@given(prompt=ANY_TEXT, cwd=ANY_TEXT, text=ANY_TEXT, message=ANY_TEXT, structured=ANY_JSON)
def test_a_run_of_any_text_comes_back(
    ledger: Ledger, prompt: str, cwd: str, text: str, message: str, structured: Any
) -> None:
    run_id = f"run-{next(numbers)}-"
    ledger.writer.begin(run_id, make_request(prompt, cwd=cwd), "claude-cli")
    error = ErrorInfo(code="provider.x", message=message)
    ledger.writer.finish(make_result(run_id, text=text, structured=structured, error=error))
    run = ledger.reader.run(run_id)
    assert run.summary.prompt_preview == visible(prompt)[:200]
    assert (run.summary.cwd, run.summary.error_message) == (visible(cwd), visible(message))
    assert run.summary.prompt_bytes == len(prompt.encode("utf-8", "surrogatepass"))
    assert run.result is not None
    assert run.result.text == visible(text)
    assert run.result.structured == visible(structured)


@shared_file
@given(text=ANY_TEXT, inputs=st.dictionaries(ANY_TEXT, ANY_JSON), raw=ANY_TEXT)
def test_events_of_any_text_come_back(ledger: Ledger, text: str, inputs: dict[str, Any], raw: str) -> None:
    run_id = f"run-{next(numbers)}-"
    ledger.writer.begin(run_id, make_request(), "claude-cli")
    ledger.writer.record(run_id, Message(text=text))
    ledger.writer.record(run_id, ToolCall(id="t", name="n", input=inputs))
    ledger.writer.record(run_id, Unknown(raw=raw, why="w"))
    message, call, unknown = ledger.reader.events(run_id)
    assert message.event["text"] == visible(text)
    assert call.event["input"] == visible(inputs)
    assert unknown.event["raw"] == visible(raw)


EVENTS = st.one_of(
    st.builds(Message, text=ANY_TEXT | st.just("it is sk-ant-oat01-planted")),
    st.builds(ToolCall, id=ANY_TEXT, name=ANY_TEXT, input=st.dictionaries(ANY_TEXT, ANY_JSON)),
    st.builds(ToolResult, id=ANY_TEXT, text=st.sampled_from(["page " * 14_000, "x", "half \ud800"])),
    st.builds(ToolCall, id=st.just("t"), name=st.just("n"), input=st.just({"at": datetime(2026, 11, 20)})),  # noqa: DTZ001 - no JSON
    st.builds(UsageSeen, message_id=ANY_TEXT, usage=st.just(TokenUsage(1, None, 3))),
)


@settings(max_examples=40, deadline=None)
@given(events=st.lists(EVENTS), keep_text=st.booleans())
def test_what_is_stored_of_an_event_does_not_depend_on_what_comes_with_it(
    events: list[Event], keep_text: bool
) -> None:
    entries = EventSerialiser(redact, keep_text=keep_text)
    alone = [entries.event(event) for event in events]
    assert entries.events(events) == alone
    assert not any("planted" in stored for _, stored in alone)


def test_an_answer_of_sixty_four_megabytes_comes_back(ledger: Ledger) -> None:
    text = "0123456789abcdé\0" * (4 * 1024 * 1024)
    ledger.writer.begin("r1", make_request(), "claude-cli")
    ledger.writer.finish(make_result("r1", text=text))
    result = ledger.reader.run("r1").result
    assert result is not None
    assert result.text == text


def test_a_tools_input_nested_as_deeply_as_json_can_be_comes_back(ledger: Ledger) -> None:
    nested: Any = "end"
    for _ in range(450):
        nested = {"a": [nested]}
    ledger.writer.begin("r1", make_request(), "claude-cli")
    ledger.writer.record("r1", ToolCall(id="t", name="n", input=nested))
    (event,) = ledger.reader.events("r1")
    found = event.event["input"]
    for _ in range(450):
        found = found["a"][0]
    assert found == "end"
