"""Checks of what goes wrong: everything has a code, nothing hangs, nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import Any

import psutil

from oneseat.contract.errors import exit_code
from oneseat.contract.events import TextDelta, TurnEnded
from oneseat.contract.ports import ProviderSession
from oneseat.testing.scenarios import SCENARIOS

from .bench import Bench, CheckFailedError, expect

#: Scenario to the codes that say it. A provider behind a program of the vendor's knows less than one that asks the API itself.
CODES: dict[str, frozenset[str]] = {
    "bad-request": frozenset({"provider.bad_request", "provider.api_error"}),
    "prompt-too-long": frozenset({"provider.context_overflow"}),
    "credit-balance": frozenset({"provider.credit_exhausted", "limit.daily_quota"}),
    "invalid-api-key": frozenset({"provider.auth_rejected", "provider.signed_out"}),
    "forbidden": frozenset({"provider.auth_rejected"}),
    "not-found": frozenset({"provider.model_not_found"}),
    "too-large": frozenset({"provider.request_too_large", "provider.context_overflow"}),
    "rate-limited": frozenset({"limit.rate_limited"}),
    "server-error": frozenset({"provider.server_error"}),
    "overloaded": frozenset({"provider.overloaded"}),
    "reset-mid-stream": frozenset({"provider.connection_lost"}),
    "eof-mid-stream": frozenset({"provider.connection_lost", "incomplete.cut_off"}),
    "error-mid-stream": frozenset(
        {"provider.overloaded", "provider.server_error", "provider.connection_lost"}
    ),
    "html": frozenset({"provider.garbled", "provider.api_error", "provider.connection_lost"}),
    "max-tokens": frozenset({"incomplete.max_tokens"}),
    "refusal": frozenset({"incomplete.refused"}),
}
#: How long leaving a provider may take, in seconds.
_LEAVE_S = 10.0
#: How long until its connections are looked at again, in seconds.
_LOOK_S = 0.02


async def every_failure_has_its_code(bench: Bench) -> None:
    """Each kind of failure ends the turn with the code that names it."""
    found = {}
    for scenario, codes in CODES.items():
        turn = await bench.one(bench.provider(scenario))
        info = turn.error or (turn.ended.error if turn.ended is not None else None)
        if scenario == "refusal" and info is None and turn.ended is not None and not turn.text.strip():
            continue  # some programs of vendors say nothing of it, and an end without words is no success either
        if info is None or info.code not in codes:
            found[scenario] = turn.code
        elif not info.message or exit_code(info.code) == 1:
            found[scenario] = f"{turn.code} without words, or our own bug"
    wrong = "\n".join(
        f"{name} ({SCENARIOS[name]}): {code}, wanted {', '.join(sorted(CODES[name]))}"
        for name, code in found.items()
    )
    expect(not found, wrong)


async def an_empty_answer_is_no_success(bench: Bench) -> None:
    """An answer without words is an end without text, or a failure; never an invented text."""
    for scenario in ("empty", "thinking-only"):
        turn = await bench.one(bench.provider(scenario))
        expect(turn.ended is not None or turn.error is not None, f"{scenario}: no end at all")
        expect(not turn.text.strip(), f"{scenario}: an unexpected text: {turn.text!r}")


async def what_came_is_kept(bench: Bench) -> None:
    """Of an answer that breaks off, the pieces that came are passed on."""
    turn = await bench.one(bench.provider("eof-mid-stream"))
    pieces = "".join(event.text for event in turn.of(TextDelta))
    expect(pieces in ("a stream", "") or pieces.startswith("a stream"), f"other pieces: {pieces!r}")
    ended = turn.ended
    if ended is not None and ended.usage is not None:
        expect(not ended.usage.output_tokens, f"unreported tokens: {ended.usage}")


async def an_interrupt_ends_the_turn(bench: Bench) -> None:
    """Told to stop, it stops at once, and the turn does not count as a success."""

    async def stop(session: ProviderSession, _: asyncio.Task[Any]) -> None:
        await session.interrupt()

    async with _nothing_left():
        events = await bench.stopped(bench.provider("hang-mid-stream"), stop)
    ends = [event for event in events if isinstance(event, TurnEnded)]
    expect(not ends or ends[-1].error is not None, "an interrupted turn ended as a success")


async def a_caller_who_leaves_leaves_nothing(bench: Bench) -> None:
    """A caller that is cancelled in the middle leaves no task, no process and no connection."""

    async def stop(_: ProviderSession, reading: asyncio.Task[Any]) -> None:
        reading.cancel()

    async with _nothing_left():
        await bench.stopped(bench.provider("hang-mid-stream"), stop)


async def an_opened_provider_can_be_left(bench: Bench) -> None:
    """One that was opened and never used leaves nothing either, and sends nothing."""
    async with _nothing_left(), bench.opened(bench.provider("ok"), bench.request()):
        pass
    expect(not bench.requests(), "something was sent")


class _nothing_left:  # noqa: N801 - reads like the function it stands for
    """Whether tasks, processes and connections are as they were when this was entered."""

    async def __aenter__(self) -> None:
        self._tasks = asyncio.all_tasks()
        self._children = _children()
        self._connections = _connections()

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            return
        try:
            async with asyncio.timeout(_LEAVE_S):
                while left := self._left():
                    await self._change()
        except TimeoutError:
            raise CheckFailedError(f"{_LEAVE_S:g} s after it was left, there is still: {left}") from None

    async def _change(self) -> None:
        """Wait until a task or a process has ended, but not for long: nothing announces the end of a connection."""
        loop = asyncio.get_running_loop()
        fds: list[int] = []
        ended: asyncio.Future[None] = loop.create_future()
        try:
            if sys.platform == "linux":
                for pid in _children() - self._children:
                    with contextlib.suppress(OSError):  # gone meanwhile
                        fds.append(os.pidfd_open(pid))
                        # It leaves the exit code to the provider, which waiting for the child would take.
                        loop.add_reader(fds[-1], ended.cancel)
            tasks = {task for task in asyncio.all_tasks() - self._tasks if not task.done()}
            await asyncio.wait({ended, *tasks}, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for fd in fds:
                loop.remove_reader(fd)
                os.close(fd)

    def _left(self) -> str:
        tasks = [task.get_name() for task in asyncio.all_tasks() - self._tasks if not task.done()]
        children = sorted(_children() - self._children)
        connections = _connections() - self._connections
        return ", ".join(
            filter(
                None,
                (
                    f"tasks {tasks}" if tasks else "",
                    f"processes {children}" if children else "",
                    f"{connections} connections" if connections > 0 else "",
                ),
            )
        )


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def _connections() -> int:
    """Connections that this process opened itself; those of the simulator it serves are the other ends."""
    listening = {each.laddr.port for each in _sockets() if each.status == psutil.CONN_LISTEN}
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port not in listening for each in _sockets()
    )


def _sockets() -> list[Any]:
    return psutil.Process().net_connections(kind="tcp")
