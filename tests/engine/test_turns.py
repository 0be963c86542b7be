"""What comes together is written together, before any of it is seen, and nothing that follows an alarm is."""

from __future__ import annotations

from oneseat.contract.events import Event, LimitSeen, TextDelta, WalletVerified
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request
from oneseat.testing.virtual_time import run_virtual

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
