"""The watchdog in virtual time: each state has its own patience and code, and a host that slept is not a silent provider."""

from __future__ import annotations

import asyncio

import pytest

from oneseat.contract.errors import OneseatError
from oneseat.contract.events import Event, Progress, Retry, TextDelta, ToolCall, ToolResult
from oneseat.engine.watchdog import Patience, Watchdog
from oneseat.testing.virtual_time import VirtualTimeLoop, elapse, run_virtual

PATIENCE = Patience(start=30, model=600, tool=2100, retry=300, compaction=900)
CALL = ToolCall(id="t1", name="Bash", input={})


async def _silence(patience: Patience, *events: Event, sent: bool = True) -> tuple[str, float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with Watchdog(patience) as watchdog:
        if sent:
            watchdog.sent()
        for event in events:
            watchdog.saw(event)
        with pytest.raises(OneseatError) as raised:
            await watchdog.wait(asyncio.Event().wait())
    return raised.value.info.code, loop.time() - began


@pytest.mark.parametrize(
    ("events", "code", "after"),
    [
        ((), "stall.model", 600),
        ((TextDelta(text="a"),), "stall.model", 600),
        ((CALL,), "stall.tool", 2100),
        ((CALL, TextDelta(text="meanwhile")), "stall.tool", 2100),
        ((CALL, ToolResult(id="t1", text="done")), "stall.model", 600),
        ((Retry(attempt=1, max_attempts=2, delay_s=1, status=529, cause="overloaded"),), "stall.retry", 300),
        ((Progress(state="compacting"),), "stall.compaction", 900),
    ],
)
def test_each_state_has_its_own_patience(events: tuple[Event, ...], code: str, after: float) -> None:
    found, waited = run_virtual(_silence(PATIENCE, *events))
    assert found == code
    assert after <= waited <= after + 2


def test_before_the_prompt_the_start_is_waited_for() -> None:
    found, waited = run_virtual(_silence(PATIENCE, sent=False))
    assert (found, round(waited, -1)) == ("stall.start", 30)


def test_the_whole_run_has_a_limit_whatever_the_provider_says() -> None:
    async def chatty() -> str:
        with Watchdog(Patience(total=50)) as watchdog:
            watchdog.sent()
            try:
                while True:
                    await watchdog.wait(elapse(5))
                    watchdog.saw(TextDelta(text="."))
            except OneseatError as error:
                return error.info.code

    assert run_virtual(chatty()) == "timeout.total"


def test_every_sign_of_life_starts_the_count_anew() -> None:
    async def slow_but_alive() -> None:
        with Watchdog(PATIENCE) as watchdog:
            watchdog.sent()
            for _ in range(20):
                await watchdog.wait(elapse(599))
                watchdog.saw(Progress(state="alive"))

    run_virtual(slow_but_alive())


def test_a_host_that_slept_is_not_a_silent_provider() -> None:
    async def lid_closed() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        with Watchdog(PATIENCE) as watchdog:
            watchdog.sent()
            waiting = asyncio.ensure_future(
                asyncio.wait_for(asyncio.shield(asyncio.Event().wait()), 7 * 3600)
            )
            loop.call_later(100, loop.advance, 6 * 3600)
            began = loop.time()
            with pytest.raises(OneseatError):
                await watchdog.wait(waiting)
        return loop.time() - began

    assert 6 * 3600 + 595 <= run_virtual(lid_closed()) <= 6 * 3600 + 605


def test_time_the_caller_takes_is_not_silence() -> None:
    async def slow_caller() -> None:
        with Watchdog(PATIENCE) as watchdog:
            watchdog.sent()
            await watchdog.wait(elapse(1))
            await elapse(5000)
            await watchdog.wait(elapse(1))

    run_virtual(slow_caller())


def test_a_cancellation_from_outside_wins() -> None:
    async def cancelled() -> None:
        async def waits() -> None:
            with Watchdog(PATIENCE) as watchdog:
                await watchdog.wait(asyncio.Event().wait())

        task = asyncio.ensure_future(waits())
        await elapse(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(cancelled())


def test_what_is_waited_for_comes_back() -> None:
    async def _answer() -> int:
        await elapse(3)
        return 42

    async def value() -> int:
        with Watchdog(PATIENCE) as watchdog:
            return await watchdog.wait(_answer())

    assert run_virtual(value()) == 42
