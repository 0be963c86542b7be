"""The provider: one process of the official CLI per run, asked who pays before it gets the prompt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from oneseat._util.aio import uninterrupted
from oneseat.contract.facts import ProviderFeatures
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Request
from oneseat.contract.stations import Permitted
from oneseat.contract.warm import PoolLimits
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.host.slots import expires_soon
from oneseat.providers.cli_common.hiding import hiding
from oneseat.providers.conversation import closing

from . import credentials
from .launcher import ClaudeCliConfig, Launcher, ProcessSpec
from .parse import Parser
from .process import CliProcess
from .session import ClaudeSession, RunContext
from .transcripts import ClaudeTranscripts

if TYPE_CHECKING:
    from .conversation import ClaudeConversation
    from .pool import WarmPool

FEATURES = ProviderFeatures(
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
    features = FEATURES

    def __init__(
        self,
        config: ClaudeCliConfig,
        now: Callable[[], float],
        redact: Callable[[str], str],
        kept: ProcessRegistry,
    ) -> None:
        self._config = config
        self._now = now
        self._redact = redact
        self._launcher = Launcher(config, redact, kept)
        self.transcripts = ClaudeTranscripts(self._launcher.kept_config)
        self._pool: WarmPool | None = None

    @property
    def wallet(self) -> Wallet:
        return "plan" if self._config.simulator is None else "simulator"

    @property
    def default_model(self) -> str:
        return self._config.default_model

    def login_expires_at(self, cwd: str) -> float | None:
        """Until when the login that a run in ``cwd`` would use is good, in seconds since the epoch.

        ``None`` where it is not a file (a token is never renewed, a keychain is never read) or does not say.
        """
        login = self._launcher.login(cwd)
        return login.expires_at_ms / 1000 if login.expires_at_ms is not None else None

    def _may_renew(self, cwd: str) -> bool:
        return expires_soon(self.login_expires_at(cwd), self._now())

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
    def warm_pool(self) -> WarmPool | None:
        return self._pool

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[ClaudeSession]:
        """A CLI for one run, warm or fresh. Leaving ends everything the run started.

        A process without tools may outlive the run: it serves another one, or is ended in the background.
        """
        request = permitted.request
        pool = self._pool if session is None and not _needs_its_own(request) else None
        context = self._context(request, session)
        if pool is None:
            process = self._launcher.launch(ProcessSpec.bounded(request), context.model, run_id, session)
        else:
            process = pool.acquire(request, context.model)
        opened = self._opened(process, context, run_id)
        try:
            yield opened
        finally:
            # A pool that was closed meanwhile no longer ends what is released to it, and a process that can act on this machine
            # must end with its run.
            if (
                pool is not None
                and pool is self._pool
                and opened.turn_ended
                and not ProcessSpec.of(request).acts
            ):
                pool.release(process, clean=opened.clean)
            else:
                await self.end(opened, process)
                if pool is not None:
                    pool.discard(process)

    def conversation(self) -> AbstractAsyncContextManager[ClaudeConversation]:
        from .conversation import ClaudeConversation  # noqa: PLC0415 - most runs are in no conversation

        return closing(ClaudeConversation(self))

    def start_process(self, request: Request, session: SessionStamp | None) -> CliProcess:
        model = request.model or self.default_model
        if self._pool is not None and session is None and not request.functions:
            process = self._pool.acquire(request, model)
        else:
            process = self._launcher.launch_kept(ProcessSpec.of(request), model, session)
        # A message the provider has failed on can be taken back; a session's record keeps it, as in any other run.
        process.rewindable = session is None
        return process

    async def end_process(self, process: CliProcess) -> None:
        await self._launcher.end_kept(process, _IMPATIENT_S)
        if self._pool is not None:
            self._pool.discard(process)

    def session_on(
        self, process: CliProcess, request: Request, run_id: str, session: SessionStamp | None
    ) -> ClaudeSession:
        return self._opened(process, self._context(request, session), run_id)

    def _context(self, request: Request, session: SessionStamp | None) -> RunContext:
        return RunContext(
            request=request,
            model=request.model or self.default_model,
            withheld=credentials.scan(self._config.environ, request.cwd, request.caller_sources),
            simulated=self._config.simulator is not None,
            resumed=session is not None and session.resumed,
            mcp_start_s=self._config.mcp.start_s,
        )

    def _opened(self, process: CliProcess, context: RunContext, run_id: str) -> ClaudeSession:
        secret = context.request.mcp_servers
        redact = hiding(secret, self._redact)
        parser = Parser(run_id, self._now, redact, hiding(secret))
        return ClaudeSession(process, context, parser, redact)

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


def _needs_its_own(request: Request) -> bool:
    # A process that can call a caller's function serves that caller only. Limits are passed at the start; the stream shows the
    # whole cost of a run without tools, so such a run does not need the CLI's own budget.
    bounded = request.max_turns is not None or (request.max_budget_usd is not None and request.tools.names)
    return bool(request.functions or bounded)
