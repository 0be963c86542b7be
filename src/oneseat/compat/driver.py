"""One process of the CLI on trial, started and driven as in a run, with a simulated login."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from oneseat._util.aio import uninterrupted
from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import Request, Tools
from oneseat.contract.simulated import SIMULATOR_TOKEN
from oneseat.host.processes.child import Child
from oneseat.host.processes.lines import OversizedLine
from oneseat.host.processes.tree import marked_processes
from oneseat.providers.claude_cli import environment, messages, wire
from oneseat.providers.claude_cli.argv import command_line
from oneseat.providers.cli_common.lines import Undecoded
from oneseat.testing import Simulator

#: A model alias that every plan has; the CLI decides which model it stands for.
MODEL = "sonnet"
#: How long a CLI may take to exit by itself after stdin is closed, in seconds.
_LEAVE_S = 1.0
#: How long the child processes of an ended CLI may take to exit, in seconds.
_FOLLOW_S = 1.0
#: If an unknown version connects to anything but the base URL, it reaches a closed port of this machine.
_NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}

Line = wire.KnownLine | Undecoded


class BrokenOffError(Exception):
    """Raised when the CLI stops responding. Its text gives the reason, for the report."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How a CLI is started. ``extra_env`` and ``extra_options`` are additions that a wrapper script could make."""

    tools: Tools = Tools()
    session: SessionStamp | None = None
    max_retries: int = 0
    extra_env: Mapping[str, str] = {}
    extra_options: tuple[str, ...] = ()


class TrialContext(msgspec.Struct, frozen=True):
    """The CLI on trial, a snapshot of the caller's environment, a scratch folder and the simulator."""

    executable: str
    environ: Mapping[str, str]
    folder: Path
    simulator: Simulator


class Folders(msgspec.Struct, frozen=True):
    """The folders of one process. ``work`` is its working directory, ``config`` contains its settings and login."""

    work: Path
    config: Path
    home: Path
    temporary: Path

    @classmethod
    def build(cls, folder: Path) -> Folders:
        """Make the folders below ``folder``."""
        made = cls(folder / "work", folder / "config", folder / "home", folder / "tmp")
        for path in (made.work, made.config, made.home, made.temporary):
            path.mkdir(parents=True, mode=0o700)
        return made


class CliDriver:
    """A conversation with one process."""

    def __init__(self, child: Child, run_id: str, work: Path) -> None:
        #: The simulator's label for this process's requests; an ordinary run id.
        self.label = run_id
        self._child = child
        self._work = work
        self._lines = self._read()
        self._asked = 0

    async def ask(self, subtype: str, **fields: Any) -> dict[str, Any]:
        """Send a control request and return its answer. Raises ``BrokenOffError``."""
        self._asked += 1
        request_id = f"canary-{self._asked}"
        await self._write(messages.control_request(request_id, subtype, **fields))
        async for line in self._lines:
            if isinstance(line, wire.ControlResponse) and line.response.request_id == request_id:
                if line.response.subtype != "success":
                    raise BrokenOffError(f"`{subtype}` was refused: {line.response.error}")
                return line.response.response or {}
        raise await self._end_of_talk()

    async def turn(self, prompt: str, name: str | None = None) -> AsyncIterator[Line]:
        """Send a prompt as a run does, and yield every line up to and including the result. Raises ``BrokenOffError``.

        ``name`` is the UUID of the prompt.
        """
        await self._write(messages.user_message(Request(prompt=prompt, cwd=str(self._work)), name=name))
        async for line in self._lines:
            yield line
            if isinstance(line, wire.ResultLine):
                return
        raise await self._end_of_talk()

    async def deny(self, question: wire.ControlRequest) -> None:
        """Deny a permission request."""
        await self._write(messages.permission(question.request_id, None, "the canary says no"))

    async def interrupt(self) -> None:
        """Interrupt the turn, without waiting for the answer."""
        await self._write(messages.control_request("canary-interrupt", "interrupt"))

    async def leave(self, patience_s: float) -> int | None:
        """Close stdin and wait; returns the exit code, ``None`` when the process is still running."""
        self._child.close_stdin()
        return self._child.returncode if await self._child.wait(patience_s) else None

    async def survivors(self) -> list[str]:
        """The process ids of the CLI and its descendants that are still running, waiting up to ``_FOLLOW_S`` for them to exit."""
        deadline = asyncio.get_running_loop().time() + _FOLLOW_S
        while True:
            left = await asyncio.to_thread(marked_processes, self.label)
            if not left or asyncio.get_running_loop().time() > deadline:
                return [f"pid {process.pid}" for process in left]

    async def close(self) -> None:
        """End the process and everything it started."""
        await self._child.end(_LEAVE_S)
        await self._lines.aclose()

    async def _write(self, data: bytes) -> None:
        try:
            await self._child.write(data)
        except OSError:
            raise await self._end_of_talk() from None

    async def _read(self) -> AsyncGenerator[Line]:
        async for batch in self._child.batches():
            for line in batch:
                if isinstance(line, OversizedLine):
                    yield Undecoded(line.start, f"line of {line.size} bytes")
                else:
                    yield wire.decode(line)

    async def _end_of_talk(self) -> BrokenOffError:
        await self._child.wait(_LEAVE_S)
        words = self._child.stderr_tail().text.strip()
        return BrokenOffError(
            f"the CLI ended with exit code {self._child.returncode}" + (f": {words}" if words else "")
        )


def made_up_environment(
    context: TrialContext, folders: Folders, play: str, label: str, *, max_retries: int = 0
) -> dict[str, str]:
    """The environment of a run on the simulator's scenario ``play``, which cannot reach any other address."""
    env = environment.child_environment(
        {name: value for name, value in context.environ.items() if not name.upper().startswith("XDG_")},
        pass_names=(),
        temp_dir=str(folders.temporary),
        max_retries=max_retries,
        simulated=environment.Simulated(
            base_url=context.simulator.url(play, label),
            config_dir=str(folders.config),
            home=str(folders.home),
            token=SIMULATOR_TOKEN,
        ),
    )
    return {**env, **_NOWHERE}


@asynccontextmanager
async def started(
    context: TrialContext, folders: Folders, play: str, opening: Opening
) -> AsyncIterator[CliDriver]:
    """A process of the CLI on trial, connected to the scenario ``play``. It is ended on exit."""
    # By this id the process is found and ended, as in a run.
    run_id = secrets.token_hex(6)
    env = made_up_environment(context, folders, play, run_id, max_retries=opening.max_retries)
    argv = [*command_line(context.executable, MODEL, opening.tools, opening.session), *opening.extra_options]
    try:
        child = Child.start(argv, env={**env, **opening.extra_env}, cwd=str(folders.work), run_id=run_id)
    except OSError as error:
        raise BrokenOffError(f"the CLI cannot be started: {error.strerror or error}") from None
    cli = CliDriver(child, run_id, folders.work)
    try:
        yield cli
    finally:
        await uninterrupted(cli.close())
