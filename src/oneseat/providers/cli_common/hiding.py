"""Removes the secrets of a run's configuration from its texts."""

from __future__ import annotations

from collections.abc import Callable

from oneseat.contract.request import McpServer


def hiding(servers: tuple[McpServer, ...], redact: Callable[[str], str] = str) -> Callable[[str], str]:
    """Removes the secrets of the run's MCP servers from a text, as a server can repeat what it was given; then ``redact``."""
    secrets = [secret for server in servers for secret in server.secrets]

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "[secret]")
        return redact(text)

    return hide
