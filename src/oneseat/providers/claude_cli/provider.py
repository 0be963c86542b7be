"""The provider: one process of the official CLI per run, asked who pays before it is given the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oneseat._util.aio import uninterrupted
from oneseat.contract.facts import Abilities
from oneseat.contract.pool import IdleProcess, PoolLimits
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Permitted, Request
from oneseat.host import credentials
from oneseat.host.kept_processes import KeptProcesses
from oneseat.host.lanes import near_its_end
from oneseat.providers.official_cli.hiding import hiding

from .launcher import ClaudeCliConfig, Launcher, Shape
from .parse import Parser
from .process import CliProcess
from .session import ClaudeSession, Surroundings

if TYPE_CHECKING:
    from .held import HeldClaude
    from .pool import WarmPool

ABILITIES = Abilities(
    tools=True,
    mcp=True,
    functions=True,
    schema=True,
    images=True,
    documents=True,
    sessions=True,
    process=True,
)

#: How long an interrupted or failed CLI may take to leave by itself, in seconds.
_IMPATIENT_S = 1.0


class ClaudeCliProvider:
    """Implements ``Provider`` for the official ``claude`` CLI."""

    name = "claude-cli"
    abilities = ABILITIES

    def __init__(
        self,
        config: ClaudeCliConfig,
        now: Callable[[], float],
        redact: Callable[[str], str],
        kept: KeptProcesses,
    ) -> None:
        self._config = config
        self._now = now
        self._redact = redact
        self._launcher = Launcher(config, redact, kept)
        self._pool: WarmPool | None = None

    @property
    def wallet(self) -> Wallet:
        """The wallet a run is planned to be paid from."""
        return "plan" if self._config.simulator is None else "simulator"

    @property
    def default_model(self) -> str:
        """The model of a request that names none."""
        return self._config.default_model

    def login_expires_at(self, cwd: str) -> float | None:
        """Until when the login that a run in ``cwd`` would use is good, in seconds since the epoch.

        ``None`` where it is not a file (a token is never renewed, a keychain is never read) or does not say.
        """
        login = self._launcher.login(cwd)
        return login.expires_at_ms / 1000 if login.expires_at_ms is not None else None

    def _may_renew(self, cwd: str) -> bool:
        return near_its_end(self.login_expires_at(cwd), self._now())

    @asynccontextmanager
    async def warm(self, limits: PoolLimits) -> AsyncIterator[None]:
        """Keep processes ready for runs to come as long as this is held."""
        from .pool import WarmPool  # noqa: PLC0415 - most runs keep nothing ready

        pool = WarmPool(self._launcher, limits, self.default_model, self._may_renew)
        async with pool.running():
            self._pool = pool
            try:
                yield
            finally:
                self._pool = None

    @property
    def idle(self) -> tuple[IdleProcess, ...]:
        """The processes that wait for a run."""
        return () if self._pool is None else self._pool.idle

    async def idle_change(self) -> None:
        """Wait until ``idle`` has changed; for ever where nothing is started ahead."""
        await (asyncio.Event().wait() if self._pool is None else self._pool.change())

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[ClaudeSession]:
        """A CLI for one run: one that waits, or a fresh one. On leaving, everything the run started has ended.

        A process that had no tools may go on without the run: to serve another one, or to end by itself.
        """
        request = permitted.request
        pool = self._pool if session is None and not _needs_its_own(request) else None
        surroundings = self._surroundings(request, session)
        if pool is None:
            process = self._launcher.launch(Shape.bounded(request), surroundings.model, run_id, session)
        else:
            process = pool.hand_out(request, surroundings.model)
        opened = self._opened(process, surroundings, run_id)
        try:
            yield opened
        finally:
            # A pool that was closed meanwhile waits for nothing that is given back to it; what can act on this machine ends
            # with its run.
            if pool is not None and pool is self._pool and opened.turn_ended and not Shape.of(request).acts:
                pool.take_back(process, clean=opened.clean)
            else:
                await self.end(opened, process)
                if pool is not None:
                    pool.gone(process)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[HeldClaude]:
        """The same provider, whose runs are one conversation on one process, which ends with this context."""
        from .held import HeldClaude  # noqa: PLC0415 - most runs are in no conversation

        held = HeldClaude(self)
        try:
            yield held
        finally:
            await uninterrupted(held.close())

    def start_held(self, request: Request, session: SessionStamp | None) -> CliProcess:
        """A process that outlives its run; see ``end_held``. Raises ``OneseatError`` when none can be started."""
        model = request.model or self.default_model
        process = self._launcher.launch_kept(Shape.of(request), model, session)
        # A message the provider has failed on can be taken back; a session's record keeps it, as in any other run.
        process.rewindable = session is None
        return process

    async def end_held(self, process: CliProcess) -> None:
        """End such a process and all that it started."""
        await self._launcher.end_kept(process, _IMPATIENT_S)

    def session_on(
        self, process: CliProcess, request: Request, run_id: str, session: SessionStamp | None
    ) -> ClaudeSession:
        """One run of a process."""
        return self._opened(process, self._surroundings(request, session), run_id)

    def _surroundings(self, request: Request, session: SessionStamp | None) -> Surroundings:
        return Surroundings(
            request=request,
            model=request.model or self.default_model,
            kept=credentials.scan(self._config.environ, request.cwd, request.caller_sources),
            simulated=self._config.simulator is not None,
            resumed=session is not None and session.resumed,
            mcp_start_s=self._config.mcp.start_s,
        )

    def _opened(self, process: CliProcess, surroundings: Surroundings, run_id: str) -> ClaudeSession:
        secret = surroundings.request.mcp_servers
        redact = hiding(secret, self._redact)
        parser = Parser(run_id, self._now, redact, hiding(secret))
        return ClaudeSession(process, surroundings, parser, redact)

    async def end(self, session: ClaudeSession, process: CliProcess) -> None:
        """End a process with its run."""
        try:
            await uninterrupted(self._leave(session, process))
        except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels the ending too
            process.kill()
            raise

    async def _leave(self, session: ClaudeSession, process: CliProcess) -> None:
        await session.stop_functions()
        if session.turn_ended:
            await process.end(self._config.after_result_s)
        else:
            await session.interrupt()
            await process.end(_IMPATIENT_S)

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:
        """How large the CLI's record of a conversation is; 0 when it is not found."""
        return await asyncio.to_thread(self._transcript_bytes, session_id, cwd)

    async def written_bytes(self, session_id: str, cwd: str) -> int:
        """What the CLI has written down for a conversation, in the files of its subagents too; 0 when nothing is found."""
        return await asyncio.to_thread(self._transcript_bytes, session_id, cwd, "/subagents/*")

    def _transcript_bytes(self, session_id: str, cwd: str, *further: str) -> int:
        # The folder's name is the directory's, changed and cut in a way that is the CLI's own; the id is enough to find it.
        projects = self._launcher.kept_config(cwd) / "projects"
        try:
            return sum(
                path.stat().st_size
                for end in (".jsonl", *further)
                for path in projects.glob(f"*/{session_id}{end}")
                if path.is_file()
            )
        except OSError:
            return 0


def _needs_its_own(request: Request) -> bool:
    # A function belongs to one caller, and so does the process that can call it. Bounds are told to a process when it starts;
    # of a run without tools the stream shows all that it costs, so the CLI need not know its budget.
    bounded = request.max_turns is not None or (request.max_budget_usd is not None and request.tools.names)
    return bool(request.functions or bounded)
