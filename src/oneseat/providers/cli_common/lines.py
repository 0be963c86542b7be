"""The lines to and from one process of an official CLI, and the error when it exits too early."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError, WhoseTurn
from oneseat.contract.events import Stderr
from oneseat.host.processes.child import Child
from oneseat.host.processes.exit_report import describe_exit, stderr_event, was_killed
from oneseat.host.processes.lines import OversizedLine

Known = TypeVar("Known")
#: How long the CLI may take to exit after it closed its output, in seconds.
_EXIT_S = 2.0
#: How much of stderr an error message quotes, in characters.
_STDERR_SHOWN = 2000


class Undecoded(msgspec.Struct, frozen=True, gc=False):
    """A line that could not be decoded, and why."""

    raw: bytes
    why: str


class Lines(Generic[Known]):
    """The lines of one process. They outlive a run if the process does.

    ``redact`` cleans output that is quoted in an error; ``decode`` decodes a block of whole lines and never raises.
    """

    def __init__(
        self,
        child: Child,
        redact: Callable[[str], str],
        decode: Callable[[bytes], Sequence[Known | Undecoded]],
    ) -> None:
        self.redact = redact
        self._child = child
        self._decode = decode
        self._blocks = child.blocks()
        self._lines: deque[Known | Undecoded] = deque()
        self._garbage = 0

    async def write(self, data: bytes) -> None:
        """Write a whole line."""
        # A CLI that does not read its input is dead or dying. Its output, still to be read, explains more than a broken pipe. If
        # it is alive after all, the watchdog ends the wait.
        with contextlib.suppress(OSError):
            await self._child.write(data)

    async def more(self) -> bool:
        """Wait until a line is available; false at the end of the output. Lines are read in blocks, for speed."""
        while not self._lines:
            try:
                block = await anext(self._blocks, None)
            except asyncio.CancelledError:
                # That has ended the generator, and a process that serves further runs would seem to have closed its output.
                self._blocks = self._child.blocks()
                raise
            if block is None:
                return False
            self._lines.extend(self._read(block))
        return True

    @property
    def lines(self) -> deque[Known | Undecoded]:
        """The lines that were read but not taken yet."""
        return self._lines

    def stderr(self) -> Stderr | None:
        """The end of the CLI's stderr, redacted; complete once the process has ended."""
        return stderr_event(self._child.stderr_tail(), self.redact)

    async def close(self) -> None:
        """Stop reading."""
        await self._blocks.aclose()

    async def death(self, when: str) -> OneseatError:
        """The error of a CLI that closed its output too early; ``when`` says at which point."""
        exited = await self._child.wait(_EXIT_S)
        stderr, said = self._child.stderr_tail().text, self.stderr()
        # Redact before cutting: part of a credential would not be recognised.
        words = said.text[-_STDERR_SHOWN:] if said is not None else ""
        known = self._known_death(stderr, words)
        if known is not None:
            return known
        if not exited:
            return self._error("output_closed", f"The official CLI closed its output {when} and kept running")
        how = describe_exit(self._child.returncode)
        if self._garbage:
            return self._error(
                "garbled",
                f"The official CLI {how} {when}\n  unreadable lines of output: {self._garbage}",
            )
        return self._error(
            "killed" if was_killed(self._child.returncode) else "crashed",
            f"The official CLI {how} {when}" + (f"\n  last output: {words}" if words else ""),
        )

    def _known_death(self, stderr: str, words: str) -> OneseatError | None:  # noqa: ARG002 - for overrides
        """The error for a known message on ``stderr``, if there is one; ``words`` is the part that may be shown."""
        return None

    def _read(self, block: bytes | OversizedLine) -> Sequence[Known | Undecoded]:
        if isinstance(block, OversizedLine):
            why = f"line of {block.size} bytes, longer than 64 MiB; its start is kept"
            known: Sequence[Known | Undecoded] = [Undecoded(block.start, why)]
        else:
            known = self._decode(block)
        self._garbage += [*map(type, known)].count(Undecoded)
        return known

    def _error(self, word: str, message: str, whose_turn: WhoseTurn = "provider") -> OneseatError:
        hint = "Check the installation: `oneseat doctor`"
        return OneseatError(
            ErrorInfo(code=f"provider.{word}", message=self.redact(message), hint=hint, whose_turn=whose_turn)
        )
