"""The in-process MCP server: what it answers to each message, and when."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import oneseat
from oneseat.providers.claude_cli import wire
from oneseat.providers.claude_cli.functions import FunctionServer
from oneseat.rules.inputs.functions import functions_of


@oneseat.tool
def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


class Host:
    """A server whose answers can be waited for."""

    def __init__(self, *functions: Any) -> None:
        self.answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.server = FunctionServer(functions_of(functions), self._write, str)

    async def _write(self, data: bytes) -> None:
        await self.answers.put(json.loads(data)["response"])

    def take(self, message: object, server: str = "oneseat") -> None:
        asked = wire.ControlQuestion(subtype="mcp_message", server_name=server, message=message)
        self.server.take(wire.ControlRequest(request_id="r", request=asked))

    async def ask(self, method: str, **params: Any) -> Any:
        self.take({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        answer = (await self.answers.get())["response"]["mcp_response"]
        assert answer["id"] == 7
        return answer.get("result", answer.get("error"))


async def test_the_opening_may_come_twice() -> None:
    host = Host(double)
    for _ in range(2):
        assert (await host.ask("initialize", protocolVersion="2025-11-25"))["protocolVersion"] == "2025-11-25"
        host.take({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert "mcp_response" in (await host.answers.get())["response"]
        assert [tool["name"] for tool in (await host.ask("tools/list"))["tools"]] == ["double"]
    assert await host.ask("ping") == {}
    assert (await host.ask("resources/list"))["code"] == -32601


async def test_every_message_is_answered() -> None:
    host = Host(double)
    assert (await host.ask("tools/call", name="double", arguments={"number": 4}))["content"][0]["text"] == "8"
    assert (await host.ask("tools/call", name="nope"))["isError"]
    for message, server in ((None, "oneseat"), ({"id": 1, "method": "ping"}, "other")):
        host.take(message, server)
        assert (await host.answers.get())["subtype"] == "error"


async def test_a_call_that_is_given_up_is_cancelled() -> None:
    cancelled = asyncio.Event()

    @oneseat.tool
    async def waits() -> None:
        """Waits."""
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    host = Host(waits)
    host.take({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "waits"}})
    await host.ask("ping")
    host.take({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}})
    await cancelled.wait()
    await host.server.close()
