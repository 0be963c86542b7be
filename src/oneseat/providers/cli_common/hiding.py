"""Removes the secrets in a run's configuration from its texts."""

from __future__ import annotations

from collections.abc import Callable

from oneseat.contract.request import McpServer


def hiding(servers: tuple[McpServer, ...], redact: Callable[[str], str] = str) -> Callable[[str], str]:
    """A function that removes the secrets of the run's MCP servers from a text, as a server can repeat them; then ``redact``."""
    secrets = [secret for server in servers for secret in server.secrets]

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "[secret]")
        return redact(text)

    return hide
