"""The provider: one app-server of the official `codex` CLI per run, asked who pays before it is given the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from oneseat.aio import uninterrupted
from oneseat.contract.facts import Abilities
from oneseat.contract.pool import IdleProcess
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import McpServer, Permitted, Request
from oneseat.host.codex_login import around_codex
from oneseat.host.kept_processes import KeptProcesses

from .held import HeldCodex
from .launcher import CodexCliConfig, Launcher
from .parse import Parser, Setting
from .process import CodexProcess
from .session import CodexSession, Surroundings
from .threads import Threads, records

#: How long an interrupted or failed CLI may take to leave by itself, in seconds.
_IMPATIENT_S = 1.0
#: The CLI renews a login that is older than this, in seconds; before that, starts need not wait for each other.
_RENEWED_AFTER_S = 7 * 24 * 3600.0
#: Stands for "whatever the CLI itself would use".
_CLI_DEFAULT = "default"


class CodexCliProvider:
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
        self._launcher = Launcher(config, redact, kept)
        self._threads = Threads(Path(config.threads))

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

    @property
    def idle(self) -> tuple[IdleProcess, ...]:
        """Nothing is started ahead."""
        return ()

    async def idle_change(self) -> None:
        """Wait for ever: nothing is started ahead."""
        await asyncio.Event().wait()

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[CodexSession]:
        """An app-server for one run. On leaving, everything the run started has ended."""
        request = permitted.request
        process = self._launcher.launch(request.cwd, run_id, hiding(request.mcp_servers, self._redact))
        opened = self.session_on(process, request, run_id, session)
        try:
            yield opened
        finally:
            await self._end(opened, process)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[HeldCodex]:
        """The same provider, whose runs are one conversation on one process, which ends with this context."""
        held = HeldCodex(self)
        try:
            yield held
        finally:
            await uninterrupted(held.close())

    def start_held(self, request: Request) -> CodexProcess:
        """A process that outlives its run; see ``end_held``. Raises ``OneseatError`` when none can be started."""
        return self._launcher.launch_kept(request.cwd, hiding(request.mcp_servers, self._redact))

    async def end_held(self, process: CodexProcess) -> None:
        """End such a process and all that it started."""
        await self._launcher.end_kept(process, _IMPATIENT_S)

    def session_on(
        self, process: CodexProcess, request: Request, run_id: str, session: SessionStamp | None
    ) -> CodexSession:
        """One run of a process."""
        model = request.model or self.default_model
        thread = self._threads.of(session.id) if session is not None and session.resumed else None
        around = Surroundings(
            request=request,
            model=None if model == _CLI_DEFAULT else model,
            login=self._launcher.login(),
            kept=around_codex(self._config.environ, self._launcher.folder())
            if request.caller_sources is None
            else request.caller_sources,
            threads=self._threads,
            simulated=self._config.simulator is not None,
            session=session,
            thread=thread,
            has_record=process.thread is not None
            or (thread is not None and bool(records(self._launcher.folder(), thread))),
            mcp_start_s=self._config.mcp_start_s,
            mcp_tool_s=self._config.mcp_tool_s,
        )
        redact = hiding(request.mcp_servers, self._redact)
        setting = Setting(
            run_id=run_id,
            provider=self.name,
            cwd=request.cwd,
            now=self._now,
            redact=redact,
            hide=hiding(request.mcp_servers),
        )
        return CodexSession(process, around, Parser(setting), redact)

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

    async def _end(self, session: CodexSession, process: CodexProcess) -> None:
        try:
            await uninterrupted(self._leave(session, process))
        except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels the ending too
            process.kill()
            raise

    async def _leave(self, session: CodexSession, process: CodexProcess) -> None:
        await session.leave()
        if session.turn_ended:
            await process.end(self._config.after_result_s if session.sent else _IMPATIENT_S)
        else:
            await session.interrupt()
            await process.end(_IMPATIENT_S)


def hiding(servers: tuple[McpServer, ...], redact: Callable[[str], str] = str) -> Callable[[str], str]:
    """Takes the secrets of the run's MCP servers out of a text: a server can repeat what it was given. Then ``redact``."""
    secrets = [secret for server in servers for secret in server.secrets]

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "[secret]")
        return redact(text)

    return hide
