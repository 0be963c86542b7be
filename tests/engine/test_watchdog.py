"""The watchdog in virtual time: each state has its own limit and code, and a host that slept is not a silent provider."""

from __future__ import annotations

import asyncio

import pytest

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Event, Progress, Retry, TextDelta, ToolCall, ToolResult
from oneseat.engine.watchdog import Timeouts, Watchdog
from oneseat.testing.virtual_time import VirtualTimeLoop, elapse, run_virtual

TIMEOUTS = Timeouts(start=30, model=600, tool=2100, retry=300, compaction=900)
CALL = ToolCall(id="t1", name="Bash", input={})


async def _silence(timeouts: Timeouts, *events: Event, sent: bool = True) -> tuple[str, float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with Watchdog(timeouts) as watchdog:
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
    found, waited = run_virtual(_silence(TIMEOUTS, *events))
    assert found == code
    assert after <= waited <= after + 2


def test_before_the_prompt_the_start_is_waited_for() -> None:
    found, waited = run_virtual(_silence(TIMEOUTS, sent=False))
    assert (found, round(waited, -1)) == ("stall.start", 30)


def test_the_whole_run_has_a_limit_whatever_the_provider_says() -> None:
    async def chatty() -> str:
        with Watchdog(Timeouts(total=50)) as watchdog:
            watchdog.sent()
            try:
                while True:
                    await watchdog.wait(elapse(5))
                    watchdog.saw(TextDelta(text="."))
            except OneseatError as error:
                return error.info.code

    assert run_virtual(chatty()) == "timeout.total"


def test_an_alarm_between_two_waits_ends_the_next_long_one() -> None:
    async def found(payer: ErrorInfo | None) -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        with Watchdog(Timeouts(total=50)) as watchdog:
            watchdog.sent(lambda: payer)
            await elapse(60)
            assert watchdog.alarm is not None
            with pytest.raises(OneseatError) as raised:
                await watchdog.wait(asyncio.Event().wait())
        return raised.value.info.code, round(loop.time())

    assert run_virtual(found(None)) == ("timeout.total", 60)
    other = ErrorInfo(code="billing.changed_midway", message="another payer")
    assert run_virtual(found(other))[0] == "billing.changed_midway"


def test_a_cancellation_from_outside_wins_over_an_alarm_that_ended_nothing() -> None:
    async def cancelled() -> None:
        async def waits() -> None:
            with Watchdog(Timeouts(total=50)) as watchdog:
                await elapse(50.5)
                assert watchdog.alarm is not None
                await watchdog.wait(asyncio.Event().wait())

        task = asyncio.ensure_future(waits())
        await elapse(50.6)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(cancelled())


def test_every_sign_of_life_starts_the_count_anew() -> None:
    async def slow_but_alive() -> None:
        with Watchdog(TIMEOUTS) as watchdog:
            watchdog.sent()
            for _ in range(20):
                await watchdog.wait(elapse(599))
                watchdog.saw(Progress(state="alive"))

    run_virtual(slow_but_alive())


def test_a_host_that_slept_is_not_a_silent_provider() -> None:
    async def lid_closed() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        with Watchdog(TIMEOUTS) as watchdog:
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
        with Watchdog(TIMEOUTS) as watchdog:
            watchdog.sent()
            await watchdog.wait(elapse(1))
            await elapse(5000)
            await watchdog.wait(elapse(1))

    run_virtual(slow_caller())


def test_a_cancellation_from_outside_wins() -> None:
    async def cancelled() -> None:
        async def waits() -> None:
            with Watchdog(TIMEOUTS) as watchdog:
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
        with Watchdog(TIMEOUTS) as watchdog:
            return await watchdog.wait(_answer())

    assert run_virtual(value()) == 42


class _Transcript:
    """What the provider writes down; it grows by one byte every ``every`` seconds until ``until``."""

    def __init__(self, every: float, until: float) -> None:
        self.looks: list[float] = []
        self._every = every
        self._until = until

    async def written(self) -> int:
        now = asyncio.get_running_loop().time()
        self.looks.append(now)
        return 1000 + int(min(now, self._until) / self._every)


async def _unseen(transcript: _Transcript, *events: Event) -> tuple[str, float]:
    loop = asyncio.get_running_loop()
    with Watchdog(TIMEOUTS, transcript.written) as watchdog:
        watchdog.sent()
        for event in events:
            watchdog.saw(event)
        with pytest.raises(OneseatError) as raised:
            await watchdog.wait(asyncio.Event().wait())
        return raised.value.info.code, loop.time()


@pytest.mark.parametrize(
    ("events", "code", "limit"),
    [
        ((), "stall.model", 600),
        ((CALL,), "stall.tool", 2100),
        ((Progress(state="compacting"),), "stall.compaction", 900),
    ],
)
def test_work_that_only_shows_in_the_transcript_is_a_sign_of_life(
    events: tuple[Event, ...], code: str, limit: float
) -> None:
    transcript = _Transcript(every=200, until=10_000)
    found, ended_at = run_virtual(_unseen(transcript, *events))
    # It stopped growing at 10,000 s, and from then on it was silence.
    assert (found, 10_000 + limit / 2 <= ended_at <= 10_000 + 2 * limit + 5) == (code, True)
    # Looked at twice in each period, not with every tick.
    assert len(transcript.looks) <= 2 * (ended_at / limit) + 2


def test_a_transcript_that_does_not_grow_gives_no_more_time() -> None:
    found, ended_at = run_virtual(_unseen(_Transcript(every=1, until=0)))
    assert (found, 600 <= ended_at <= 603) == ("stall.model", True)


def test_growth_before_the_last_event_is_no_sign_of_life_after_it() -> None:
    async def work() -> tuple[str, float]:
        transcript = _Transcript(every=10, until=400)
        loop = asyncio.get_running_loop()
        with Watchdog(TIMEOUTS, transcript.written) as watchdog:
            watchdog.sent()
            await watchdog.wait(elapse(500))
            with pytest.raises(OneseatError) as raised:
                await watchdog.wait(asyncio.Event().wait())
            return raised.value.info.code, loop.time()

    found, ended_at = run_virtual(work())
    assert (found, 1100 <= ended_at <= 1103) == ("stall.model", True)


def test_other_waits_do_not_ask_for_the_transcript() -> None:
    transcript = _Transcript(every=1, until=10_000)
    retry = Retry(attempt=1, max_attempts=2, delay_s=1, status=529, cause="overloaded")
    found, ended_at = run_virtual(_unseen(transcript, retry))
    assert (found, 300 <= ended_at <= 302, transcript.looks) == ("stall.retry", True, [])


def test_a_transcript_that_cannot_be_read_in_time_does_not_stop_the_clock_of_the_run() -> None:
    async def never() -> int:
        await asyncio.Event().wait()
        return 0

    async def work() -> tuple[str, float]:
        with Watchdog(Timeouts(model=10, total=60), never) as watchdog:
            watchdog.sent()
            with pytest.raises(OneseatError) as raised:
                await watchdog.wait(asyncio.Event().wait())
            return raised.value.info.code, asyncio.get_running_loop().time()

    found, ended_at = run_virtual(work())
    assert (found, 60 <= ended_at <= 62) == ("timeout.total", True)


def test_a_pause_is_bounded_by_the_run_alone_and_a_new_attempt_is_watched_anew() -> None:
    async def work() -> tuple[str, float, str, float]:
        loop = asyncio.get_running_loop()
        with Watchdog(Timeouts(start=30, total=5000)) as watchdog:
            with pytest.raises(OneseatError) as first:
                await watchdog.wait(asyncio.Event().wait())
            watchdog.restart()
            await watchdog.pause(3600)
            paused_until = loop.time()
            with pytest.raises(OneseatError) as second:
                await watchdog.wait(asyncio.Event().wait())
        return first.value.info.code, paused_until, second.value.info.code, loop.time() - paused_until

    first, paused_until, second, waited = run_virtual(work())
    assert (first, second) == ("stall.start", "stall.start")
    assert 3630 <= paused_until <= 3632
    assert 30 <= waited <= 32
