"""A conversation on one process of the official `claude` CLI."""

from __future__ import annotations

import contextlib

from oneseat.contract.errors import OneseatError
from oneseat.contract.request import Request
from oneseat.providers.cli_common.open_conversation import OpenConversation

from .launcher import ProcessSpec
from .preflight import Prefetch, can_prefetch
from .process import CliProcess
from .session import ClaudeSession, prompt_config_of


class ClaudeConversation(OpenConversation[CliProcess, ClaudeSession]):
    """Implements ``Provider``: a ``ClaudeCliProvider`` whose runs are one conversation."""

    def _terms_of(self, request: Request) -> dict[str, object]:
        prompt_config, spec = prompt_config_of(request), ProcessSpec.of(request)
        return {
            "system": prompt_config.system,
            "schema": prompt_config.schema,
            "tools": spec.tools,
            "cwd": spec.cwd,
            "mcp_servers": spec.mcp_servers,
            "functions": spec.functions,
        }

    def _overtaken(self, process: CliProcess) -> str | None:
        return process.watch.overtaken()

    def _unsupported(self, process: CliProcess, request: Request) -> str | None:
        return None if process.can_switch(request.model or self.default_model) else "model"

    async def _settle(self, opened: ClaudeSession, process: CliProcess) -> None:
        if opened.turn_ended and not opened.clean:
            await self._take_back(process)
        await super()._settle(opened, process)
        if can_prefetch(process):
            process.prefetch = Prefetch(process)

    async def _take_back(self, process: CliProcess) -> None:
        """Rewind a message that failed, or the next turn would answer both. An old CLI cannot rewind, and goes on."""
        if process.first_message is None:
            return
        with contextlib.suppress(OneseatError):
            await process.go_back()
