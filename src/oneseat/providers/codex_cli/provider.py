"""The provider: one app-server of the official `codex` CLI per run, asked who pays before it is given the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import Abilities, CredentialSource
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Permitted, Request
from oneseat.host.codex_login import around_codex
from oneseat.host.kept_processes import KeptProcesses
from oneseat.providers.nothing_ahead import NothingAhead
from oneseat.providers.official_cli.hiding import hiding

from .exec_session import ExecSession, Outside, can_do
from .fallback import CodexRun
from .launcher import CodexCliConfig, Launcher
from .parse import Parser, Setting
from .plans import SeenPlans
from .process import CodexProcess
from .session import CodexSession, Surroundings
from .threads import Threads, records

if TYPE_CHECKING:
    from .held import HeldCodex

#: How long an interrupted or failed CLI may take to leave by itself, in seconds.
_IMPATIENT_S = 1.0
#: The CLI renews a login that is older than this, in seconds; before that, starts need not wait for each other.
_RENEWED_AFTER_S = 7 * 24 * 3600.0
#: Stands for "whatever the CLI itself would use".
_CLI_DEFAULT = "default"


class CodexCliProvider(NothingAhead):
    """Implements ``Provider`` for the official ``codex`` CLI."""

    name = "codex-cli"
    abilities = Abilities(tools=True, mcp=True, schema=True, images=True, sessions=True, process=True)

    def __init__(
        self,
        config: CodexCliConfig,
        now: Callable[[], float],
        redact: Callable[[str], str],
        kept: KeptProcesses,
    ) -> None:
        self._config = config
        self._now = now
        self._redact = redact
        self._launcher = Launcher(config, kept)
        self._threads = Threads(Path(config.threads))
        self._plans = SeenPlans(Path(config.threads, "plans"))

    @property
    def wallet(self) -> Wallet:
        """The wallet a run is planned to be paid from."""
        return "plan" if self._config.simulator is None else "simulator"

    @property
    def default_model(self) -> str:
        """The model of a request that names none; ``default`` is the CLI's own."""
        return self._config.default_model

    def login_expires_at(self, cwd: str) -> float | None:  # noqa: ARG002 - the login is the same everywhere
        """From when on a start may renew the login, in seconds since the epoch; ``None`` where it is not a file."""
        refreshed = self._launcher.login().refreshed_at
        return refreshed + _RENEWED_AFTER_S if refreshed is not None else None

    @property
    def folder(self) -> Path:
        """The CLI's own folder."""
        return self._launcher.folder()

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[CodexRun]:
        """An app-server for one run, or `codex exec` where that does not start. On leaving, all that the run started has ended."""
        request = permitted.request
        process = self._launcher.launch(request.cwd, run_id, hiding(request.mcp_servers, self._redact))
        server = self.session_on(process, request, run_id, session)
        run = CodexRun(server, self._fallback(request, run_id) if can_do(request) else None)
        try:
            yield run
        finally:
            await self._end(run, process)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[HeldCodex]:
        """The same provider, whose runs are one conversation on one process, which ends with this context."""
        from .held import HeldCodex  # noqa: PLC0415 - most runs are in no conversation

        held = HeldCodex(self)
        try:
            yield held
        finally:
            await uninterrupted(held.close())

    def start_held(self, request: Request, session: SessionStamp | None) -> CodexProcess:  # noqa: ARG002 - told later
        """A process that outlives its run; see ``end_held``. Raises ``OneseatError`` when none can be started."""
        return self._launcher.launch_kept(request.cwd, hiding(request.mcp_servers, self._redact))

    async def end_held(self, process: CodexProcess) -> None:
        """End such a process and all that it started."""
        await self._launcher.end_kept(process, _IMPATIENT_S)

    def session_on(
        self, process: CodexProcess, request: Request, run_id: str, session: SessionStamp | None
    ) -> CodexSession:
        """One run of a process."""
        thread = self._threads.of(session.id) if session is not None and session.resumed else None
        around = Surroundings(
            request=request,
            model=self._model_of(request),
            login=self._launcher.login(),
            kept=self._kept(request),
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
        return CodexSession(process, around, Parser(setting), setting.redact)

    def _model_of(self, request: Request) -> str | None:
        model = request.model or self.default_model
        return None if model == _CLI_DEFAULT else model

    def _kept(self, request: Request) -> tuple[CredentialSource, ...]:
        return around_codex(self._config.environ, self._launcher.folder(), request.caller_sources)

    def _setting(self, request: Request, run_id: str) -> Setting:
        return Setting(
            run_id=run_id,
            provider=self.name,
            cwd=request.cwd,
            now=self._now,
            redact=hiding(request.mcp_servers, self._redact),
            hide=hiding(request.mcp_servers),
        )

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:  # noqa: ARG002 - the CLI files by date
        """How large the CLI's record of a conversation is; 0 when it is not found."""
        return await asyncio.to_thread(self._bytes, session_id)

    async def written_bytes(self, session_id: str, cwd: str) -> int:  # noqa: ARG002 - as above
        """What the CLI has written down for a conversation; 0 when nothing is found."""
        return await asyncio.to_thread(self._bytes, session_id)

    def _bytes(self, session_id: str) -> int:
        thread = self._threads.of(session_id)
        if thread is None:
            return 0
        try:
            return sum(path.stat().st_size for path in records(self._launcher.folder(), thread))
        except OSError:
            return 0

    def _fallback(self, request: Request, run_id: str) -> Callable[[ErrorInfo], ExecSession]:
        def take_over(why: ErrorInfo) -> ExecSession:
            login = self._launcher.login()
            outside = Outside(
                login=login,
                kept=self._kept(request),
                plan=self._plans.of(login.account, self._now()),
                why=why,
            )
            setting = self._setting(request, run_id)
            return ExecSession(self._launcher, request, self._model_of(request), setting, outside)

        return take_over

    async def _end(self, run: CodexRun, process: CodexProcess) -> None:
        other = run.fallback.process if run.fallback is not None else None
        try:
            await uninterrupted(self._leave(run.server, process))
            if other is not None:
                await uninterrupted(other.end(_IMPATIENT_S))
        except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels the ending too
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
