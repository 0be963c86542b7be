"""Runs the function calls of one answer: which run concurrently, and how they end when the run is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from oneseat.contract.request import Function
from oneseat.host.function_calls import CallResult, call_function

from .chat import Call

#: How long cancelled calls may take to end, in seconds.
_CANCEL_S = 1.0


class Toolbox:
    """The caller's functions. ``clean`` removes secrets from an error."""

    def __init__(self, functions: Sequence[Function], clean: Callable[[str], str]) -> None:
        self._functions = {function.name: function for function in functions}
        self._clean = clean
        self._tasks: set[asyncio.Task[tuple[int, CallResult]]] = set()
        self._stopped = False

    async def answer(self, calls: Sequence[Call]) -> AsyncIterator[tuple[int, CallResult]]:
        """The result of each call with its index, as they complete. Read-only functions run concurrently."""
        self._stopped = False
        for batch in self._batches(calls):
            if self._stopped:
                return
            self._tasks = {asyncio.ensure_future(self._one(index, calls[index])) for index in batch}
            while self._tasks:
                done, self._tasks = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if not task.cancelled():
                        yield task.result()

    async def stop(self) -> None:
        """Cancel the running calls. A function that ignores the cancellation is abandoned."""
        tasks, self._tasks, self._stopped = self._tasks, set(), True
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_S)

    def _batches(self, calls: Sequence[Call]) -> Iterator[list[int]]:
        batch: list[int] = []
        for index, each in enumerate(calls):
            function = self._functions.get(each.name)
            if function is not None and not function.read_only:
                if batch:
                    yield batch
                yield [index]
                batch = []
            else:
                batch.append(index)
        if batch:
            yield batch

    async def _one(self, index: int, asked: Call) -> tuple[int, CallResult]:
        function = self._functions.get(asked.name)
        if function is None:
            return index, CallResult(f"No such tool: {asked.name!r}", is_error=True)
        if asked.given is None:
            return index, CallResult("The arguments are not a JSON object", is_error=True)
        return index, await call_function(function, asked.given, self._clean)
