"""The caller's Python functions as an MCP server that lives in this process and speaks through the control protocol.

Every message is answered in a task of its own: a function that takes long holds up neither the reading of what the CLI prints
nor another call. The CLI sends `initialize` and `tools/list` more than once (measured on 2.1.197).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from oneseat.contract.request import FUNCTIONS, Function
from oneseat.host.function_calls import call_function

from . import messages, wire

#: How long cancelled calls may take to end, in seconds.
_CANCEL_S = 1.0
_PROTOCOL = "2025-06-18"


class FunctionServer:
    """Serves functions over one process's control messages. ``write`` sends a line, ``clean`` takes secrets out of an error."""

    def __init__(
        self,
        functions: tuple[Function, ...],
        write: Callable[[bytes], Awaitable[None]],
        clean: Callable[[str], str],
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._write = write
        self._clean = clean
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: dict[Any, asyncio.Task[None]] = {}

    def take(self, asked: wire.ControlRequest) -> None:
        """Answer a message to the server, now or when its function has returned."""
        message = asked.request.message
        if not isinstance(message, dict) or asked.request.server_name != FUNCTIONS or not self._functions:
            self._go_on(self._write(messages.unsupported(asked.request_id, asked.request.subtype)))
            return
        task = self._go_on(self._reply(asked.request_id, message))
        if message.get("method") == "tools/call":
            self._calls[message.get("id")] = task
            task.add_done_callback(lambda _: self._calls.pop(message.get("id"), None))

    async def close(self) -> None:
        """Cancel the calls that go on. A function that does not let itself be cancelled is left behind."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_S)

    def _go_on(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _reply(self, request_id: str, message: dict[str, Any]) -> None:
        if "id" not in message:
            self._notice(message)
            await self._send(request_id, {"jsonrpc": "2.0", "id": 0, "result": {}})
            return
        method, params = message.get("method"), message.get("params")
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        given = params if isinstance(params, dict) else {}
        match method:
            case "initialize":
                answer["result"] = _introduction(given)
            case "ping":
                answer["result"] = {}
            case "tools/list":
                answer["result"] = {"tools": [_listed(each) for each in self._functions.values()]}
            case "tools/call":
                answer["result"] = await self._call(given)
            case _:
                answer["error"] = {"code": -32601, "message": f"no such method: {method}"}
        await self._send(request_id, answer)

    async def _send(self, request_id: str, message: dict[str, Any]) -> None:
        # A call that is cancelled while its answer is being written would leave half a line, and the CLI ends on that.
        await asyncio.shield(self._write(messages.mcp_answer(request_id, message)))

    def _notice(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        if message.get("method") == "notifications/cancelled" and isinstance(params, dict):
            # Nobody waits for the answer any more: the turn was interrupted, or the CLI's own limit was reached.
            call_function = self._calls.get(params.get("requestId"))
            if call_function is not None:
                call_function.cancel()

    async def _call(self, params: dict[str, Any]) -> dict[str, Any]:
        function = self._functions.get(str(params.get("name")))
        if function is None:
            return _said(f"No such tool: {params.get('name')!r}", is_error=True)
        returned = await call_function(function, params.get("arguments") or {}, self._clean)
        return _said(returned.text, is_error=returned.is_error)


def _introduction(params: dict[str, Any]) -> dict[str, Any]:
    version = params.get("protocolVersion")
    return {
        "protocolVersion": version if isinstance(version, str) else _PROTOCOL,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": FUNCTIONS, "version": "1"},
    }


def _listed(function: Function) -> dict[str, Any]:
    return {
        "name": function.name,
        "description": function.description,
        "inputSchema": function.schema,
        # The CLI calls several at a time only when it is told that they change nothing (measured).
        "annotations": {"readOnlyHint": function.read_only},
    }


def _said(text: str, *, is_error: bool) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}
