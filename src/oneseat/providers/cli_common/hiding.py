"""What no text of a run may hold of its configuration."""

from __future__ import annotations

from collections.abc import Callable

from oneseat.contract.request import McpServer


def hiding(servers: tuple[McpServer, ...], redact: Callable[[str], str] = str) -> Callable[[str], str]:
    """Takes the secrets of the run's MCP servers out of a text: a server can repeat what it was given. Then ``redact``."""
    secrets = [secret for server in servers for secret in server.secrets]

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "[secret]")
        return redact(text)

    return hide
