"""Batches are written whole before any event of them is read, and never read ahead; nothing after an alarm is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from oneseat.contract.events import Event, LimitSeen, Question, TextDelta, WalletVerified
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request
from oneseat.testing.virtual_time import elapse, run_virtual

from .scripted import Memory, Script, ScriptedProvider, Silence, answer, on_plan, scripted_app, started


def seen(script: Script) -> tuple[Memory, list[Event], list[int], RunResult]:
    """What the ledger has, what a caller saw, how much was in the ledger at each of these moments, and the result."""
    memory, events, written = Memory(), list[Event](), list[int]()

    async def go() -> RunResult:
        app = scripted_app(ScriptedProvider([script]), memory)
        async with app.stream(Request(prompt="hello", cwd="/")) as run:
            async for event in run:
                events.append(event)
                written.append(len(memory.events))
        assert run.result is not None
        return run.result

    return memory, events, written, run_virtual(go())


def test_what_comes_together_is_written_at_once_and_seen_in_order() -> None:
    memory, events, written, result = seen(Script(answer(), together=True))
    apart, alone, *_ = seen(Script(answer()))
    assert result.status == "completed"
    assert events[:-1] == alone[:-1]
    assert memory.events == apart.events
    assert memory.writes == [1, 3]  # the gate's word, then all of the turn
    assert apart.writes == [1, 1, 1, 1]
    for number, event in enumerate(events):
        if event in memory.events:
            assert memory.events.index(event) < written[number]


def test_nothing_waits_for_what_has_not_come() -> None:
    first, *rest = answer()
    memory, events, written, _ = seen(Script((first, Silence(5), *rest), together=True))
    assert written[events.index(first)] == 2
    assert memory.writes == [1, 1, 2]


def test_an_alarm_in_the_middle_is_written_and_nothing_after_it_is_taken() -> None:
    pieces = (started(), TextDelta(text="one"), on_plan(overage=True), TextDelta(text="two"))
    memory, events, _, result = seen(Script((*pieces, *answer()), together=True))
    assert result.error is not None
    assert result.error.code.startswith("billing.")
    assert result.text == "one"
    assert [type(event) for event in events[:-1]] == [WalletVerified, type(started()), TextDelta]
    assert any(isinstance(event, LimitSeen) and event.overage for event in memory.events)


def test_the_provider_is_not_read_ahead_of_the_reader() -> None:
    async def go() -> list[int]:
        memory, written = Memory(), list[int]()
        app = scripted_app(ScriptedProvider([Script(answer())]), memory)
        async with app.stream(Request(prompt="hello", cwd="/")) as run:
            async for _ in run:
                before = len(memory.events)
                await elapse(60)
                assert len(memory.events) == before
                written.append(before)
        return written

    # The gate's word, the start, a piece of text that is not kept, the limit, and the end.
    assert run_virtual(go()) == [1, 2, 2, 3, 4]


@pytest.mark.parametrize(
    ("pieces", "pace", "code"),
    [(300, 1.0, "timeout.total"), (1, 60.0, None)],
    ids=["more pieces than the time allows", "a slow reader of a whole answer"],
)
def test_pieces_without_a_pause_between_them_do_not_outlast_the_time(
    pieces: int, pace: float, code: str | None
) -> None:
    async def go() -> tuple[str | None, float]:
        script = Script((*answer()[:-1], *[TextDelta(text=".")] * pieces, answer()[-1]))
        app = scripted_app(ScriptedProvider([script]), Memory())
        async with app.stream(Request(prompt="hello", cwd="/", timeout_s=50)) as run:
            async for event in run:
                await elapse(pace if isinstance(event, TextDelta) and event.text == "." else 0)
        assert run.result is not None
        return (
            run.result.error.code if run.result.error is not None else None,
            asyncio.get_running_loop().time(),
        )

    found, ended = run_virtual(go())
    assert (found, ended <= 62) == (code, True)


def test_a_reader_that_stops_iterating_ends_the_run() -> None:
    async def go() -> RunResult | None:
        run = scripted_app(ScriptedProvider([Script(answer())]), Memory()).stream(
            Request(prompt="hello", cwd="/")
        )
        async with run:
            events = run.__aiter__()
            assert isinstance(events, AsyncGenerator)
            await anext(events)
            await events.aclose()
            assert run.result is not None
        return run.result

    result = run_virtual(go())
    assert result is not None
    assert result.status == "cancelled"


def test_what_a_question_raises_reaches_the_reader_and_the_run_has_an_end() -> None:
    asks = Script((started(), Question(id="q", tool="Bash", input={})))
    memory = Memory()

    def ask(question: Question) -> bool:
        raise LookupError

    async def go() -> None:
        app = scripted_app(ScriptedProvider([asks]), memory)
        with pytest.raises(LookupError):
            await app.run(Request(prompt="hello", cwd="/"), ask=ask)

    run_virtual(go())
    (result,) = memory.results
    assert result.error is not None
    assert result.error.code == "bug.unexpected"
