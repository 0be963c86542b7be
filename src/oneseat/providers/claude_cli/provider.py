"""The provider: one process of the official CLI per run, asked who pays before it is given the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from oneseat.aio import uninterrupted
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Permitted, Request
from oneseat.host import credentials

from .launcher import ClaudeCliConfig, Launcher, Shape
from .parse import Parser
from .process import CliProcess
from .session import ClaudeSession, Surroundings

#: How long an interrupted or failed CLI may take to leave by itself, in seconds.
_IMPATIENT_S = 1.0


class ClaudeCliProvider:
    """Implements ``Provider`` for the official ``claude`` CLI."""

    name = "claude-cli"

    def __init__(
        self, config: ClaudeCliConfig, now: Callable[[], float], redact: Callable[[str], str]
    ) -> None:
        self._config = config
        self._now = now
        self._redact = redact
        self._launcher = Launcher(config, redact)

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
        model = request.model or self.default_model
        surroundings = self._surroundings(request, session)
        process = self._launcher.launch(Shape.of(request), model, run_id, session)
        opened = ClaudeSession(process, surroundings, Parser(run_id, self._now, self._redact))
        try:
            yield opened
        finally:
            try:
                await uninterrupted(self._end(opened, process))
            except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels the ending too
                process.kill()
                raise

    async def _end(self, session: ClaudeSession, process: CliProcess) -> None:
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

    def _surroundings(self, request: Request, session: SessionStamp | None) -> Surroundings:
        return Surroundings(
            request=request,
            kept=credentials.scan(self._config.environ, request.cwd),
            simulated=self._config.simulator is not None,
            resumed=session is not None and session.resumed,
        )
