"""A conversation on one app-server."""

from __future__ import annotations

from oneseat.contract.request import Request
from oneseat.providers.cli_common.open_conversation import OpenConversation

from .process import CodexProcess
from .session import CodexSession


class CodexConversation(OpenConversation[CodexProcess, CodexSession]):
    """Implements ``Provider``: a ``CodexCliProvider`` whose runs are one conversation."""

    def _terms_of(self, request: Request) -> dict[str, object]:
        # Each message may have another model and schema.
        return {
            "cwd": request.cwd,
            "system": request.system,
            "tools": request.tools,
            "mcp_servers": request.mcp_servers,
        }

    async def _after(self, opened: CodexSession, process: CodexProcess) -> None:
        await opened.leave()
        await super()._after(opened, process)
