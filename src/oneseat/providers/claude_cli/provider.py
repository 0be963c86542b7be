"""The provider: one process of the official CLI per run, asked who pays before it is given the prompt."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec

from oneseat.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Permitted, Request
from oneseat.host import credentials
from oneseat.host.child import Child
from oneseat.host.process_tree import private_prefix

from . import discovery, environment
from .argv import command_line
from .parse import Parser
from .session import ClaudeSession, Surroundings

SimulatedLogin = Literal["token", "file", "none"]
#: How long an interrupted or failed CLI may take to leave by itself, in seconds.
_IMPATIENT_S = 1.0


class Simulator(msgspec.Struct, frozen=True):
    """A loopback simulator and the made-up login to use with it. ``folder`` keeps what its sessions leave behind."""

    url: str
    login: SimulatedLogin
    token: str
    folder: str


class ClaudeCliConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the provider needs to know. ``environ`` is a snapshot of the caller's environment, never changed.

    ``after_result_s`` is how long the CLI may stay after its result, in seconds (background work ends then).
    """

    environ: Mapping[str, str]
    executable: str | None = None
    default_model: str = "sonnet"
    pass_environment: tuple[str, ...] = ()
    max_retries: int = 2
    after_result_s: float = 10.0
    simulator: Simulator | None = None


class ClaudeCliProvider:
    """Implements ``Provider`` for the official ``claude`` CLI."""

    name = "claude-cli"

    def __init__(
        self, config: ClaudeCliConfig, now: Callable[[], float], redact: Callable[[str], str]
    ) -> None:
        self._config = config
        self._now = now
        self._redact = redact

    @property
    def wallet(self) -> Wallet:
        """The wallet a run is planned to be paid from."""
        return "plan" if self._config.simulator is None else "simulator"

    @property
    def default_model(self) -> str:
        """The model of a request that names none."""
        return self._config.default_model

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[ClaudeSession]:
        """Start the CLI for one run; on leaving, end it and everything it started, and remove its private folder."""
        request = permitted.request
        executable = discovery.find_executable(self._config.executable, self._config.environ.get("PATH"))
        private = Path(tempfile.mkdtemp(prefix=private_prefix(run_id)))
        try:
            env = self._environment(private, self._kept_config(request.cwd) if session else None)
            argv = command_line(executable, request.model or self.default_model, request.tools, session)
            child = _start(argv, env, request.cwd, run_id)
            opened = ClaudeSession(
                child,
                executable,
                self._surroundings(request, run_id, env, session),
                Parser(run_id, self._now, self._redact),
                self._redact,
            )
            try:
                yield opened
            finally:
                try:
                    await uninterrupted(self._end(opened, child))
                except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels the ending too
                    child.kill()
                    raise
        finally:
            await uninterrupted(asyncio.to_thread(shutil.rmtree, private, ignore_errors=True))

    async def _end(self, session: ClaudeSession, child: Child) -> None:
        if session.turn_ended:
            await child.end(self._config.after_result_s)
        else:
            await session.interrupt()
            await child.end(_IMPATIENT_S)
        await session.close()

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:
        """How large the CLI's record of a conversation is; 0 when it is not found."""
        return await asyncio.to_thread(self._transcript_bytes, session_id, cwd)

    def _transcript_bytes(self, session_id: str, cwd: str) -> int:
        # The folder's name is the directory's, changed and cut in a way that is the CLI's own; the id is enough to find it.
        found = self._kept_config(cwd).glob(f"projects/*/{session_id}.jsonl")
        try:
            return sum(path.stat().st_size for path in found)
        except OSError:
            return 0

    def _kept_config(self, cwd: str) -> Path:
        """The CLI's own folder, in which conversations outlive a run. Simulated ones stay apart from the real ones."""
        simulator = self._config.simulator
        if simulator is None:
            return credentials.Places.find(self._config.environ, cwd).config_dir
        return Path(simulator.folder, simulator.login)

    def _environment(self, private: Path, kept: Path | None) -> dict[str, str]:
        simulator = self._config.simulator
        simulated = None
        if simulator is not None:
            config_dir, home = kept or private / "config", private / "home"
            config_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.mkdir(mode=0o700)
            if simulator.login == "file":
                with contextlib.suppress(FileExistsError):  # an earlier run of the session wrote the same
                    credentials.write_simulated_login(config_dir, simulator.token)
            simulated = environment.Simulated(
                base_url=simulator.url,
                config_dir=str(config_dir),
                home=str(home),
                token=simulator.token if simulator.login == "token" else None,
            )
        return environment.child_environment(
            self._config.environ,
            pass_names=self._config.pass_environment,
            temp_dir=str(private),
            max_retries=self._config.max_retries,
            simulated=simulated,
        )

    def _surroundings(
        self, request: Request, run_id: str, env: Mapping[str, str], session: SessionStamp | None
    ) -> Surroundings:
        return Surroundings(
            run_id=run_id,
            request=request,
            env=env,
            kept=credentials.scan(self._config.environ, request.cwd),
            simulated=self._config.simulator is not None,
            resumed=session is not None and session.resumed,
        )


def _start(argv: list[str], env: Mapping[str, str], cwd: str, run_id: str) -> Child:
    try:
        return Child.start(argv, env=env, cwd=cwd, run_id=run_id)
    except OSError as error:
        raise OneseatError(
            ErrorInfo(
                code="provider.cannot_start",
                message=f"The official CLI cannot be started: `{argv[0]}`\n  {error.strerror or error}",
                hint="Check the installation: `oneseat doctor`",
            )
        ) from error
