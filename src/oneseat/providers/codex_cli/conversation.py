"""A conversation on one app-server process."""

from __future__ import annotations

from oneseat.contract.request import Request
from oneseat.providers.cli_common.open_conversation import OpenConversation

from .process import CodexProcess
from .session import CodexSession


class CodexConversation(OpenConversation[CodexProcess, CodexSession]):
    """Implements ``Provider``: a ``CodexCliProvider`` whose runs form one conversation."""

    def _terms_of(self, request: Request) -> dict[str, object]:
        # The model and the schema may change with each message.
        return {
            "cwd": request.cwd,
            "system": request.system,
            "tools": request.tools,
            "mcp_servers": request.mcp_servers,
        }

    async def _after(self, opened: CodexSession, process: CodexProcess) -> None:
        await opened.leave()
        await super()._after(opened, process)
