"""The provider for the official `codex` CLI: one app-server per run, asked who pays before it gets the prompt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import CredentialSource, ProviderFeatures
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Request
from oneseat.contract.stations import Permitted
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.providers.cli_common.hiding import hiding
from oneseat.providers.conversation import closing

from .exec_session import ExecSession, Outside, can_do
from .fallback import SessionWithFallback
from .launcher import CodexCliConfig, Launcher
from .login import withheld_sources
from .parse import Parser, Setting
from .plans import SeenPlans
from .process import CodexProcess
from .session import CodexSession, RunContext
from .threads import CodexTranscripts, Threads, records

if TYPE_CHECKING:
    from .conversation import CodexConversation

#: How long an interrupted or failed CLI may take to exit by itself, in seconds.
_IMPATIENT_S = 1.0
#: The CLI renews a login older than this, in seconds; until then, starts need not wait for each other.
_RENEWED_AFTER_S = 7 * 24 * 3600.0
#: Means the model that the CLI itself would use.
_CLI_DEFAULT = "default"


class CodexCliProvider:
    """Implements ``Provider`` for the official ``codex`` CLI."""

    name = "codex-cli"
    warm_pool = None
    features = ProviderFeatures(tools=True, mcp=True, schema=True, images=True, sessions=True, process=True)

    def __init__(
        self,
        config: CodexCliConfig,
        now: Callable[[], float],
        redact: Callable[[str], str],
        kept: ProcessRegistry,
    ) -> None:
        self._config = config
        self._now = now
        self._redact = redact
        self._launcher = Launcher(config, kept)
        self._threads = Threads(Path(config.threads))
        self.transcripts = CodexTranscripts(self._threads, self._launcher.folder)
        self._plans = SeenPlans(Path(config.threads, "plans"))

    @property
    def wallet(self) -> Wallet:
        return "plan" if self._config.simulator is None else "simulator"

    @property
    def default_model(self) -> str:
        """The model of a request that names none; ``default`` means the CLI's own default."""
        return self._config.default_model

    def login_expires_at(self, cwd: str) -> float | None:  # noqa: ARG002 - the login is the same everywhere
        """The time from which a start may renew the login, in seconds since the epoch; ``None`` if it is not stored in a file."""
        refreshed = self._launcher.login().refreshed_at
        return refreshed + _RENEWED_AFTER_S if refreshed is not None else None

    @property
    def folder(self) -> Path:
        """The CLI's configuration folder."""
        return self._launcher.folder()

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[SessionWithFallback]:
        """An app-server for one run, or `codex exec` if that does not start. On exit, every process of the run has ended."""
        request = permitted.request
        process = self._launcher.launch(request.cwd, run_id, hiding(request.mcp_servers, self._redact))
        server = self.session_on(process, request, run_id, session)
        run = SessionWithFallback(server, self._fallback(request, run_id) if can_do(request) else None)
        try:
            yield run
        finally:
            await self._end(run, process)

    def conversation(self) -> AbstractAsyncContextManager[CodexConversation]:
        from .conversation import CodexConversation  # noqa: PLC0415 - most runs are in no conversation

        return closing(CodexConversation(self))

    def start_process(self, request: Request, session: SessionStamp | None) -> CodexProcess:  # noqa: ARG002 - told later
        return self._launcher.launch_kept(request.cwd, hiding(request.mcp_servers, self._redact))

    async def end_process(self, process: CodexProcess) -> None:
        await self._launcher.end_kept(process, _IMPATIENT_S)

    def session_on(
        self, process: CodexProcess, request: Request, run_id: str, session: SessionStamp | None
    ) -> CodexSession:
        thread = self._threads.of(session.id) if session is not None and session.resumed else None
        context = RunContext(
            request=request,
            model=self._model_of(request),
            login=self._launcher.login(),
            withheld=self._withheld(request),
            threads=self._threads,
            plans=self._plans,
            now=self._now,
            simulated=self._launcher.simulated,
            session=session,
            thread=thread,
            has_record=process.thread is not None
            or (thread is not None and bool(records(self._launcher.folder(), thread))),
            mcp_start_s=self._config.mcp_start_s,
            mcp_tool_s=self._config.mcp_tool_s,
        )
        setting = self._setting(request, run_id)
        return CodexSession(process, context, Parser(setting), setting.redact)

    def _model_of(self, request: Request) -> str | None:
        model = request.model or self.default_model
        return None if model == _CLI_DEFAULT else model

    def _withheld(self, request: Request) -> tuple[CredentialSource, ...]:
        return withheld_sources(self._config.environ, self._launcher.folder(), request.caller_sources)

    def _setting(self, request: Request, run_id: str) -> Setting:
        return Setting(
            run_id=run_id,
            provider=self.name,
            cwd=request.cwd,
            now=self._now,
            redact=hiding(request.mcp_servers, self._redact),
            hide=hiding(request.mcp_servers),
        )

    def _fallback(self, request: Request, run_id: str) -> Callable[[ErrorInfo], ExecSession]:
        def take_over(why: ErrorInfo) -> ExecSession:
            login = self._launcher.login()
            outside = Outside(
                login=login,
                withheld=self._withheld(request),
                plan=self._plans.of(login.account, self._now()),
                why=why,
            )
            setting = self._setting(request, run_id)
            return ExecSession(self._launcher, request, self._model_of(request), setting, outside)

        return take_over

    async def _end(self, run: SessionWithFallback, process: CodexProcess) -> None:
        other = run.fallback.process if run.fallback is not None else None
        try:
            await uninterrupted(self._leave(run.server, process))
            if other is not None:
                await uninterrupted(other.end(_IMPATIENT_S))
        except BaseException:  # an event loop that is being closed (a second Ctrl-C) cancels this too
            process.kill()
            if other is not None:
                other.kill()
            raise

    async def _leave(self, session: CodexSession, process: CodexProcess) -> None:
        await session.leave()
        if session.turn_ended:
            await process.end(self._config.after_result_s if session.sent else _IMPATIENT_S)
        else:
            await session.interrupt()
            await process.end(_IMPATIENT_S)
