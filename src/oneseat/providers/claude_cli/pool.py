"""Warm processes: started ahead and idle until a run takes one.

A start costs half a second and half a CPU-second, which an idle process has behind it. It gets the run's instructions, schema and
model when the run acquires it, and who pays is decided then, as for a fresh process. Tested versions are also opened and warmed up
while they idle.
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
from oneseat.contract.reports.compat import CliFile
from oneseat.contract.request import Request, Tools
from oneseat.contract.warm import PoolLimits, WarmProcess
from oneseat.host.processes.tree import is_running

from . import discovery, warmup
from .launcher import Launcher, ProcessSpec
from .preflight import Prefetch, can_prefetch
from .process import CliProcess, PromptConfig
from .session import prompt_config_of

#: A run needs the processor until its answer begins, so nothing is started then, but for no longer than this, in seconds.
_QUIET_S = 5.0
#: Pause between two starts, so that they do not compete for the processor, in seconds.
_APART_S = 0.3
#: The age of a process that has booted, and of one that has finished its deferred work, such as its state file, in seconds.
_BOOTED_S, _SETTLED_S = 1.5, 10.0
#: How often the pool is checked, and how often while a process still settles, in seconds.
_LOOK_S, _SOON_S = 15.0, 1.0
#: How long an idle process may take to exit after its input was closed, in seconds.
_LEAVE_S = 1.0
#: How many requested kinds of process, and how many prompt configurations, are remembered.
_REMEMBERED = 8


class _Kind(msgspec.Struct, frozen=True):
    """What a process is started for."""

    spec: ProcessSpec
    model: str


class WarmPool:
    """Implements ``WarmPool``: keeps processes ready of the kinds requested last, at first of the kind a plain request takes.

    Use it within ``running``. Leaving that ends every process it started, except for acquired ones, which their runs end.
    ``may_renew`` says whether a process started now in a directory might renew the login.
    """

    def __init__(
        self, launcher: Launcher, limits: PoolLimits, default_model: str, may_renew: Callable[[str], bool]
    ) -> None:
        self._launcher = launcher
        self._may_renew = may_renew
        self._limits = limits
        self._wanted = [_Kind(ProcessSpec(Tools(), None), default_model)]
        self._idle: dict[CliProcess, _Kind] = {}
        self._out: dict[CliProcess, tuple[_Kind, float]] = {}
        self._recent_configs: deque[PromptConfig] = deque(maxlen=_REMEMBERED)
        self._opening: set[CliProcess] = set()
        self._unfit: set[CliFile] = set()
        self._tasks: set[asyncio.Task[None]] = set()
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
            while self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def idle(self) -> tuple[WarmProcess, ...]:
        return tuple(
            WarmProcess(
                pid=process.child.pid,
                model=process.model,
                cwd=process.cwd,
                age_s=round(_age(process), 1),
                memory_bytes=_memory(process),
                runs=process.runs,
                opened=process.prompt_config is not None and process not in self._opening,
            )
            for process in self._idle
        )

    async def change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def acquire(self, request: Request, model: str) -> CliProcess:
        """A process for one run: an idle one, or a new one. Give it back with ``release``, or ``discard`` it.

        Raises ``OneseatError`` when none can be started.
        """
        kind = _Kind(_spec_for(request), model)
        self._recent_configs.append(prompt_config_of(request))
        self._wanted = [kind, *(other for other in self._wanted if other != kind)][:_REMEMBERED]
        process = self._fitting(kind, request)
        if process is not None:
            del self._idle[process]
        else:
            process = self._start(kind)
        self._out[process] = (kind, time.monotonic())
        self._notify()
        return process

    def release(self, process: CliProcess, *, clean: bool) -> None:
        """The run is over: rewind the process for another run, or end it. Returns at once."""
        kind, _ = self._out.pop(process)
        if clean and process.rewindable and process.runs < self._limits.runs_per_process:
            self._spawn(self._rewind(process, kind))
        else:
            self._retire(process)

    def discard(self, process: CliProcess) -> None:
        """Forget a process that its run has ended."""
        self._out.pop(process, None)
        self._launcher.forget(process)
        self._notify()

    def _fitting(self, kind: _Kind, request: Request) -> CliProcess | None:
        """The best idle process: one with the same instructions, else one with the same model, else any that can switch."""
        prompt_config, now = prompt_config_of(request), self._installed()
        fit = [
            process
            for process, other in self._idle.items()
            if other.spec == kind.spec and self._fit(process, now) and process.accepts(prompt_config)
        ]
        fit.sort(
            key=lambda it: (
                it.prompt_config != prompt_config,
                it.prompt_config is None,
                it.model != kind.model,
            )
        )
        return next((process for process in fit if process.can_switch(kind.model)), None)

    def _fit(self, process: CliProcess, installed: CliFile | None) -> bool:
        young = _age(process) < self._limits.idle_s
        # A setting that came while it waited may be in force in it, even if it is gone again.
        untouched = process.watch.overtaken() is None
        return young and untouched and process.file == installed and is_running(process.child.pid)

    def _installed(self) -> CliFile | None:
        try:
            return discovery.identify(self._launcher.executable())
        except (OneseatError, OSError):
            return None

    def _start(self, kind: _Kind) -> CliProcess:
        process = self._launcher.launch_kept(kind.spec, kind.model)
        process.rewindable = self._limits.runs_per_process > 1 and kind.spec.cwd is None
        return process

    async def _tend(self) -> None:
        while True:
            self._look.clear()
            pause = self._look_after()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._look.wait()

    def _look_after(self) -> float:
        """End processes that must not idle longer and start at most one; returns when to check again, in seconds."""
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
                return _LOOK_S  # a run that meets the same error reports it
        return _APART_S

    def _ask_those_who_waited(self) -> None:
        for process in self._idle:
            if process.prefetch is not None and process.prefetch.outdated:
                process.prefetch = Prefetch(process)

    def _unopened(self) -> Iterator[CliProcess]:
        """Idle processes that can be opened and warmed up."""
        if not self._opens():
            return
        for process, kind in self._idle.items():
            known = warmup.can_warm_up(process) and can_prefetch(process)
            if (
                process.prompt_config is None
                and known
                and not kind.spec.acts
                and process.file not in self._unfit
            ):
                yield process

    def _opens(self) -> bool:
        """Whether to open idle processes: not while recent runs want a schema, which an opened process cannot be given."""
        return bool(self._recent_configs) and all(
            prompt_config.schema is None for prompt_config in self._recent_configs
        )

    def _in_the_way(self, process: CliProcess) -> bool:
        return process.prompt_config is not None and process.runs == 0 and not self._opens()

    def _open(self, process: CliProcess) -> None:
        process.prompt_config = self._recent_configs[-1]
        process.prefetch = Prefetch(process, lambda prefetch: warmup.warm_up(process, prefetch))
        self._opening.add(process)
        self._spawn(self._watch(process, process.prefetch))

    async def _watch(self, process: CliProcess, opening: Prefetch) -> None:
        """Wait until a process is opened. One that fails is ended, and no other process of that program is opened."""
        failed = await opening.fails()
        self._opening.discard(process)
        if failed and not self._closed:
            self._unfit.add(process.file)
            if process in self._idle:
                self._retire(process)
        self._notify()

    def _is_busy(self, process: CliProcess, since: float) -> bool:
        return not process.answering and time.monotonic() - since < _QUIET_S

    def _places(self) -> list[_Kind]:
        """Which kinds should idle now: one of each, the last requested first; the remaining places are for that one."""
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
        """Missing kinds that may be started ahead.

        The CLI renews a login when it starts (measured on 2.1.197 and 2.1.329), and two that do so at once sign each other out:
        while a start might renew it, only runs start the CLI, one at a time.
        """
        return (kind for kind in self._missing(places) if not self._may_renew(kind.spec.cwd or os.sep))

    async def _rewind(self, process: CliProcess, kind: _Kind) -> None:
        """Rewind the process to before its run, and end it unless it confirms that its conversation is empty."""
        forgotten = False
        with contextlib.suppress(OneseatError, TimeoutError):
            forgotten = await process.go_back()
        if self._closed or not forgotten:
            self._retire(process)
            return
        if can_prefetch(process):
            process.prefetch = Prefetch(process)
        self._idle[process] = _Kind(kind.spec, process.model)
        self._notify()

    def _retire(self, process: CliProcess) -> None:
        self._idle.pop(process, None)
        self._spawn(self._end(process))

    async def _end(self, process: CliProcess) -> None:
        try:
            await self._launcher.end_kept(process, _LEAVE_S)
        finally:
            self._notify()

    def _notify(self) -> None:
        self._look.set()
        self._changed.set()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _spec_for(request: Request) -> ProcessSpec:
    spec = ProcessSpec.of(request)
    # Without tools the CLI uses nothing of a directory, so one process serves requests from any.
    return spec if spec.acts else msgspec.structs.replace(spec, cwd=None)


def _age(process: CliProcess) -> float:
    return time.monotonic() - process.began


def _memory(process: CliProcess) -> int:
    try:
        return int(psutil.Process(process.child.pid).memory_info().rss)
    except psutil.Error:
        return 0
