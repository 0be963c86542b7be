"""SlotPool that runs and processes share: never more than there are, in the order of asking, and nobody dead holds one."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from oneseat.contract.errors import UsageError
from oneseat.host.slots import FileSlots, Slot, SlotPool

_HOLDER = """
import asyncio, sys
from pathlib import Path
from oneseat.host.slots import SlotPool
async def main():
    async with SlotPool(Path(sys.argv[1]), 1).slot() as place:
        print("taken" if place.taken else "queued", flush=True)
        if not place.taken:
            await place.wait()
            print("taken", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that takes the only place, or waits for it, and keeps it."""
    command = [sys.executable, "-c", _HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def names(folder: Path, pattern: str = "*") -> list[str]:
    return [path.name for path in folder.glob(pattern)]


async def until_queued(folder: Path, count: int = 1) -> None:
    """A process says that it has to wait before it stands in the queue."""
    while len(names(folder, "*.wait")) < count:  # noqa: ASYNC110 - a file of another process is no event
        await asyncio.sleep(0)


async def take(places: SlotPool) -> None:
    async with places.slot() as place:
        await place.wait()


async def test_a_process_that_was_killed_gives_its_place_back(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        assert said(first) == "taken"
        async with SlotPool(tmp_path, 1).slot() as place:
            assert not place.taken
            waiting = asyncio.create_task(place.wait())
            first.send_signal(signal.SIGKILL)
            async with asyncio.timeout(20):
                await waiting
            assert place.taken


async def test_one_that_died_while_it_waited_is_waited_for_by_nobody(tmp_path: Path) -> None:
    places = SlotPool(tmp_path, 1)
    async with places.slot() as place:
        with holder(tmp_path) as waiting:
            assert said(waiting) == "queued"
            await until_queued(tmp_path)
            waiting.send_signal(signal.SIGKILL)
            waiting.wait()
            place.release()
            async with asyncio.timeout(20):
                await take(places)
    assert names(tmp_path) == []


async def test_places_are_given_in_the_order_of_asking(tmp_path: Path) -> None:
    order: list[int] = []

    async def ask(number: int) -> None:
        # Each has its own view of the folder, as processes have.
        async with SlotPool(tmp_path, 1).slot() as place:
            await place.wait()
            order.append(number)

    async with SlotPool(tmp_path, 1).slot() as place:
        asked = []
        for number in range(6):
            asked.append(asyncio.create_task(ask(number)))
            await until_queued(tmp_path, number + 1)
        # Somebody who comes now does not get in between.
        place.release()
        async with SlotPool(tmp_path, 1).slot() as late:
            assert not late.taken
            await asyncio.gather(*asked)
    assert order == [0, 1, 2, 3, 4, 5]


async def test_never_more_than_there_are_and_nobody_is_left_out(tmp_path: Path) -> None:
    held, most, done = 0, 0, 0
    views = [SlotPool(tmp_path, 3) for _ in range(4)]

    async def work(places: SlotPool) -> None:
        nonlocal held, most, done
        async with places.slot() as place:
            if not place.taken:
                await place.wait()
            held += 1
            most = max(most, held)
            await asyncio.sleep(0)
            held -= 1
            done += 1

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(views[number % 4]) for number in range(24)))
    assert (most, done, held) == (3, 24, 0)
    assert names(tmp_path) == []


async def test_who_gives_up_waiting_leaves_nothing(tmp_path: Path) -> None:
    async with SlotPool(tmp_path, 1).slot():
        waiting = asyncio.create_task(take(SlotPool(tmp_path, 1)))
        await until_queued(tmp_path)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert names(tmp_path) == ["0.lock"]


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        async with SlotPool(tmp_path / "file", 1).slot():
            pass


async def test_nobody_keeps_a_place_for_longer_than_said(tmp_path: Path) -> None:
    async with SlotPool(tmp_path, 1, max_s=0.01).slot() as first, asyncio.timeout(20):
        assert first.taken
        await take(SlotPool(tmp_path, 1))


def lanes(folder: Path, expires_at: float | None, depth: int = 0) -> FileSlots:
    return FileSlots(
        folder, at_once=1, depth=depth, expires_at=lambda _provider, _cwd: expires_at, now=time.time
    )


@pytest.mark.parametrize(
    ("expires_in_s", "alone"), [(None, False), (3600, False), (299, True), (0, True), (-3600, True)]
)
async def test_starts_are_one_at_a_time_only_while_a_login_is_near_its_end(
    expires_in_s: float | None, alone: bool, tmp_path: Path
) -> None:
    expires_at = None if expires_in_s is None else time.time() + expires_in_s
    async with (
        lanes(tmp_path, expires_at).start("seat", "/") as first,
        lanes(tmp_path, expires_at).start("seat", "/") as second,
    ):
        assert (first.taken, second.taken) == (True, not alone)


async def test_providers_do_not_wait_for_each_others_logins(tmp_path: Path) -> None:
    async with (
        lanes(tmp_path, 0).start("one", "/") as first,
        lanes(tmp_path, 0).start("other", "/") as second,
    ):
        assert (first.taken, second.taken) == (True, True)


async def test_a_renewal_that_is_seen_in_the_file_lets_all_go_on(tmp_path: Path) -> None:
    expiry = [time.time()]
    seeing = FileSlots(
        tmp_path, at_once=1, depth=0, expires_at=lambda _provider, _cwd: expiry[0], now=time.time
    )
    async with AsyncExitStack() as stack:
        places: list[Slot] = [await stack.enter_async_context(seeing.start("seat", "/")) for _ in range(3)]
        assert [place.taken for place in places] == [True, False, False]
        expiry[0] += 8 * 3600
        async with asyncio.timeout(20):
            await asyncio.gather(*(place.wait() for place in places[1:]))
        assert [place.taken for place in places] == [True] * 3


async def test_a_run_inside_of_a_run_does_not_wait_for_it(tmp_path: Path) -> None:
    async with lanes(tmp_path, None).run() as outer, lanes(tmp_path, None, depth=1).run() as inner:
        assert (outer.taken, inner.taken) == (True, True)
        async with lanes(tmp_path, None, depth=1).run() as other:
            assert not other.taken
