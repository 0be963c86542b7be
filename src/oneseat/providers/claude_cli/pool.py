"""Processes of the CLI that were started ahead and wait, idle and asked nothing, for the run they will serve.

A start costs half a second and half a CPU-second. A process that waits has paid that; what a run wants of it, the
instructions, a schema, the model, it is told when it is handed out, and who pays is decided then, as for a fresh one. Where the
CLI is known well enough, it is also opened and exercised while it waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import psutil

from oneseat.contract.errors import OneseatError
from oneseat.contract.pool import IdleProcess, PoolLimits
from oneseat.contract.reports.compat import CliFile
from oneseat.contract.request import Request, Tools
from oneseat.host.process_tree import lives

from . import discovery, exercise
from .inquiry import Ahead, can_be_asked_ahead
from .launcher import Launcher, Shape
from .process import CliProcess, Special
from .session import special_of

#: Until a run's answer begins it needs the processor, and nothing is started; but for no longer than this, in seconds.
_CALM_S = 5.0
#: Between two starts, so that they do not fight for the processor, and between two looks for calm, in seconds.
_APART_S = 0.3
#: How old a process is when it has booted, and when it has done what it put off then, its own state file among it, in seconds.
_BOOTED_S, _SETTLED_S = 1.5, 10.0
#: How often age and memory are looked at, and what was asked of a process that settles, in seconds.
_LOOK_S, _SOON_S = 15.0, 1.0
#: How long an idle process may take to leave when its input ends, in seconds.
_LEAVE_S = 1.0
#: How many kinds of process are remembered as asked for, and what how many runs were told.
_REMEMBERED = 8


class _Kind(msgspec.Struct, frozen=True):
    """What a process is started as."""

    shape: Shape
    model: str


class WarmPool:
    """Keeps processes ready, of the kinds that were asked for last; in the beginning of the one a plain request takes.

    Use it within ``running``. Every process it starts has ended when that is left, but for those handed out: their runs
    end them. ``may_renew`` says whether a process started now in a directory might renew the login.
    """

    def __init__(
        self, launcher: Launcher, limits: PoolLimits, default_model: str, may_renew: Callable[[str], bool]
    ) -> None:
        self._launcher = launcher
        self._may_renew = may_renew
        self._limits = limits
        self._wanted = [_Kind(Shape(Tools(), None), default_model)]
        self._idle: dict[CliProcess, _Kind] = {}
        self._out: dict[CliProcess, tuple[_Kind, float]] = {}
        self._told: deque[Special] = deque(maxlen=_REMEMBERED)
        self._opening: set[CliProcess] = set()
        self._unfit: set[CliFile] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._changed = asyncio.Event()
        self._largest = 0
        self._closed = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start and replace processes as long as this is held."""
        tending = asyncio.create_task(self._tend())
        try:
            yield
        finally:
            self._closed = True
            tending.cancel()
            await asyncio.gather(tending, return_exceptions=True)
            for process in list(self._idle):
                self._retire(process)
            while self._chores:
                await asyncio.gather(*self._chores, return_exceptions=True)

    @property
    def idle(self) -> tuple[IdleProcess, ...]:
        """The processes that wait now."""
        return tuple(
            IdleProcess(
                pid=process.child.pid,
                model=process.model,
                cwd=process.cwd,
                age_s=round(_age(process), 1),
                memory_bytes=_memory(process),
                runs=process.runs,
                opened=process.special is not None and process not in self._opening,
            )
            for process in self._idle
        )

    async def change(self) -> None:
        """Wait until a process has begun to wait, has been handed out, or has ended."""
        self._changed.clear()
        await self._changed.wait()

    def hand_out(self, request: Request, model: str) -> CliProcess:
        """A process for one run: one that waits, or a new one. Give it back with ``take_back``, or report it ``gone``.

        Raises ``OneseatError`` when none can be started.
        """
        kind = _Kind(_shape_for(request), model)
        self._told.append(special_of(request))
        self._wanted = [kind, *(other for other in self._wanted if other != kind)][:_REMEMBERED]
        process = self._fitting(kind, request)
        if process is not None:
            del self._idle[process]
        else:
            process = self._start(kind)
        self._out[process] = (kind, time.monotonic())
        self._tell()
        return process

    def take_back(self, process: CliProcess, *, clean: bool) -> None:
        """The run is over. The process serves another one or is ended, and nobody waits for that."""
        kind, _ = self._out.pop(process)
        if clean and process.rewindable and process.runs < self._limits.runs_per_process:
            self._do(self._rewind(process, kind))
        else:
            self._retire(process)

    def gone(self, process: CliProcess) -> None:
        """The run has ended its process itself."""
        self._out.pop(process, None)
        self._launcher.forget(process)
        self._tell()

    def _fitting(self, kind: _Kind, request: Request) -> CliProcess | None:
        """The best of those that wait: one that knows the same instructions, one of the same model, any that can change."""
        special, now = special_of(request), self._installed()
        fit = [
            process
            for process, other in self._idle.items()
            if other.shape == kind.shape and self._fit(process, now) and process.can_be_told(special)
        ]
        fit.sort(key=lambda it: (it.special != special, it.special is None, it.model != kind.model))
        return next((process for process in fit if process.can_switch(kind.model)), None)

    def _fit(self, process: CliProcess, installed: CliFile | None) -> bool:
        young = _age(process) < self._limits.idle_s
        return young and process.file == installed and lives(process.child.pid)

    def _installed(self) -> CliFile | None:
        try:
            return discovery.identify(self._launcher.executable())
        except (OneseatError, OSError):
            return None

    def _start(self, kind: _Kind) -> CliProcess:
        process = self._launcher.launch_kept(kind.shape, kind.model)
        process.rewindable = self._limits.runs_per_process > 1 and kind.shape.cwd is None
        return process

    async def _tend(self) -> None:
        while True:
            self._look.clear()
            pause = self._look_after()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._look.wait()

    def _look_after(self) -> float:
        """End what must not wait longer and start at most one process; returns when to look again, in seconds."""
        installed = self._installed()
        for process in [
            each for each in self._idle if not self._fit(each, installed) or self._in_the_way(each)
        ]:
            self._retire(process)
        places = self._places()
        for process in self._superfluous(places):
            self._retire(process)
        self._ask_those_who_waited()
        missing = next(self._startable(places), None) if installed is not None else None
        unopened = next(self._unopened(), None)
        if missing is None and unopened is None:
            settled = all(_age(process) > _SETTLED_S for process in self._idle)
            return min(_LOOK_S if settled else _SOON_S, self._limits.idle_s)
        if any(self._is_busy(process, since) for process, (_, since) in self._out.items()):
            return _APART_S
        if unopened is not None and _age(unopened) > _BOOTED_S:
            self._open(unopened)
        elif missing is not None:
            try:
                self._idle[self._start(missing)] = missing
                self._changed.set()
            except OneseatError:
                return _LOOK_S  # a run that meets the same says it to somebody
        return _APART_S

    def _ask_those_who_waited(self) -> None:
        for process in self._idle:
            if process.ahead is not None and process.ahead.outdated:
                process.ahead = Ahead(process)

    def _unopened(self) -> Iterator[CliProcess]:
        """Those that can be made ready further."""
        if not self._opens():
            return
        for process, kind in self._idle.items():
            known = exercise.can_be_exercised(process) and can_be_asked_ahead(process)
            if process.special is None and known and not kind.shape.acts and process.file not in self._unfit:
                yield process

    def _opens(self) -> bool:
        """Whether processes wait opened: no run of late asked for a schema, which only one that is not open can be given."""
        return bool(self._told) and all(special.schema is None for special in self._told)

    def _in_the_way(self, process: CliProcess) -> bool:
        return process.special is not None and process.runs == 0 and not self._opens()

    def _open(self, process: CliProcess) -> None:
        process.special = self._told[-1]
        process.ahead = Ahead(process, lambda ahead: exercise.opened(process, ahead))
        self._opening.add(process)
        self._do(self._watch(process, process.ahead))

    async def _watch(self, process: CliProcess, opening: Ahead) -> None:
        """See a process opened. One that fails at it is ended, and no other of its program is tried."""
        failed = await opening.fails()
        self._opening.discard(process)
        if failed and not self._closed:
            self._unfit.add(process.file)
            if process in self._idle:
                self._retire(process)
        self._tell()

    def _is_busy(self, process: CliProcess, since: float) -> bool:
        return not process.answering and time.monotonic() - since < _CALM_S

    def _places(self) -> list[_Kind]:
        """Which kinds should wait now. One of each kind, the last asked for first; the rest of the room is for that one."""
        self._largest = max([self._largest, *map(_memory, self._idle)])
        room = self._limits.size
        if self._largest:
            room = min(room, self._limits.memory_bytes // self._largest)
        kinds = self._wanted[:room]
        return kinds + kinds[:1] * (room - len(kinds))

    def _superfluous(self, places: list[_Kind]) -> list[CliProcess]:
        left, extra = list(places), []
        for process, kind in reversed(self._idle.items()):
            if kind in left:
                left.remove(kind)
            else:
                extra.append(process)
        return extra

    def _missing(self, places: list[_Kind]) -> Iterator[_Kind]:
        waiting = list(self._idle.values())
        for kind in places:
            if kind in waiting:
                waiting.remove(kind)
            else:
                yield kind

    def _startable(self, places: list[_Kind]) -> Iterator[_Kind]:
        """What is missing and may start ahead. The CLI renews a login when it starts (measured on 2.1.197 and 2.1.329), and two
        that do so at once sign each other out: as long as one might, only runs start it, one after the other.
        """
        return (kind for kind in self._missing(places) if not self._may_renew(kind.shape.cwd or os.sep))

    async def _rewind(self, process: CliProcess, kind: _Kind) -> None:
        """Take the process back to before the run it served; one that cannot prove that it is there is ended."""
        forgotten = False
        with contextlib.suppress(OneseatError, TimeoutError):
            forgotten = await process.go_back()
        if self._closed or not forgotten:
            self._retire(process)
            return
        if can_be_asked_ahead(process):
            process.ahead = Ahead(process)
        self._idle[process] = _Kind(kind.shape, process.model)
        self._tell()

    def _retire(self, process: CliProcess) -> None:
        self._idle.pop(process, None)
        self._do(self._end(process))

    async def _end(self, process: CliProcess) -> None:
        try:
            await self._launcher.end_kept(process, _LEAVE_S)
        finally:
            self._tell()

    def _tell(self) -> None:
        self._look.set()
        self._changed.set()

    def _do(self, chore: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


def _shape_for(request: Request) -> Shape:
    shape = Shape.of(request)
    # Without tools nothing in a directory is of use to the CLI, so one process serves requests from everywhere.
    return shape if shape.acts else msgspec.structs.replace(shape, cwd=None)


def _age(process: CliProcess) -> float:
    return time.monotonic() - process.began


def _memory(process: CliProcess) -> int:
    try:
        return int(psutil.Process(process.child.pid).memory_info().rss)
    except psutil.Error:
        return 0
