"""A conversation on one process of the official CLI."""

from __future__ import annotations

import contextlib

from oneseat.contract.errors import OneseatError
from oneseat.contract.request import Request
from oneseat.providers.official_cli.held import Held

from .inquiry import Ahead, can_be_asked_ahead
from .launcher import Shape
from .process import CliProcess
from .session import ClaudeSession, special_of


class HeldClaude(Held[CliProcess, ClaudeSession]):
    """Implements ``Provider``: a ``ClaudeCliProvider`` whose runs are one conversation."""

    def _terms_of(self, request: Request) -> dict[str, object]:
        special, shape = special_of(request), Shape.of(request)
        return {
            "system": special.system,
            "schema": special.schema,
            "tools": shape.tools,
            "cwd": shape.cwd,
            "mcp_servers": shape.mcp_servers,
            "functions": shape.functions,
        }

    def _unable(self, process: CliProcess, request: Request) -> str | None:
        return None if process.can_switch(request.model or self.default_model) else "model"

    async def _settle(self, opened: ClaudeSession, process: CliProcess) -> None:
        if opened.turn_ended and not opened.clean:
            await self._take_back(process)
        await super()._settle(opened, process)
        if can_be_asked_ahead(process):
            process.ahead = Ahead(process)

    async def _take_back(self, process: CliProcess) -> None:
        """Let the CLI forget a message it failed on, or its next turn would answer both. An older one cannot, and goes on."""
        if process.first_message is None:
            return
        with contextlib.suppress(OneseatError):
            await process.go_back()
