"""The client's own tools, offered to the model as functions whose results the client sends later."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.gateway.chat import ClientTool, ToolUse
from oneseat.contract.request import MCP_PREFIX, Function
from oneseat.host.function_calls import CallResult

#: The vendor accepts 64 characters, and the CLI prepends `mcp__oneseat__`.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}", re.ASCII)


_DEFINITIONS = ("$defs", "definitions")


class _Anything(msgspec.Struct):
    """Arguments that the client checks itself."""


class _ClientFunction(Function, frozen=True, kw_only=True):
    """A function whose arguments are passed on as the model wrote them."""

    arguments: type[msgspec.Struct] = _Anything

    def bind(self, given: object) -> Callable[[], Any]:
        return lambda: self.function(given)


def model_names(tools: Iterable[ClientTool]) -> dict[str, str]:
    """The client's names by those under which the model knows the tools: the same, unless it would not accept them.

    Raises ``UsageError`` ``usage.bad_function`` for a name that the official CLI keeps for itself, and for one that is there twice.
    """
    names: dict[str, str] = {}
    for tool in tools:
        if tool.name.startswith(MCP_PREFIX):
            raise _bad(tool.name, f"names that begin with `{MCP_PREFIX}` belong to the official CLI")
        if tool.name in names.values():
            raise _bad(tool.name, "another tool of the request has the same name")
        names[_model_name(tool.name)] = tool.name
    return names


def forced_schema(tools: Iterable[ClientTool], forced: tuple[str, ...]) -> dict[str, Any]:
    """The schema of a call of one of these tools: of its arguments where there is one, else of its name beside them."""
    chosen = [tool for tool in tools if tool.name in forced]
    if len(chosen) == 1:
        return chosen[0].schema
    parts: dict[str, Any] = {}
    calls = [_call_schema(tool, f"tool{number}_", parts) for number, tool in enumerate(chosen)]
    schema = {"type": "object", "properties": {"call": {"anyOf": calls}}, "required": ["call"]}
    return {**schema, "additionalProperties": False, "$defs": parts}


def forced_call(forced: tuple[str, ...], made: Any) -> tuple[str, Any]:
    """The tool that was called and its arguments, from an answer that fits ``forced_schema``."""
    return (forced[0], made) if len(forced) == 1 else (made["call"]["name"], made["call"]["arguments"])


def _call_schema(tool: ClientTool, prefix: str, parts: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in tool.schema.items() if name not in _DEFINITIONS}
    for name in _DEFINITIONS:
        for part, value in tool.schema.get(name, {}).items():
            parts[prefix + part] = _moved(value, prefix)
    return {
        "type": "object",
        "description": tool.description,
        "properties": {"name": {"const": tool.name}, "arguments": _moved(own, prefix)},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _moved(schema: Any, prefix: str) -> Any:
    """The schema with its references led to where its parts are now."""
    if isinstance(schema, list):
        return [_moved(each, prefix) for each in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {name: _moved(value, prefix) for name, value in schema.items()}
    if isinstance(reference := moved.get("$ref"), str):
        moved["$ref"] = f"#/$defs/{prefix}{reference.rpartition('/')[2]}"
    return moved


class ToolDesk:
    """Where calls of the model wait for the client's results. ``called`` is set once the first one waits."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self._open: list[ToolUse] = []
        self._results: dict[str, CallResult] = {}
        self._posted = asyncio.Event()

    def functions(self, tools: Iterable[ClientTool], names: dict[str, str]) -> tuple[Function, ...]:
        """The tools as functions of a run."""
        known = {name: model_name for model_name, name in names.items()}
        return tuple(self._function(tool, known[tool.name]) for tool in tools)

    def open(self, calls: Iterable[ToolUse]) -> None:
        """The client was told of these calls."""
        self._open = list(calls)
        self.called.clear()

    def waits_for(self, ids: Iterable[str]) -> bool:
        """Whether these are the ids of the calls that the client was told of, all of them."""
        return bool(self._open) and {call.id for call in self._open} == set(ids)

    def post(self, results: dict[str, tuple[str, bool]]) -> None:
        """The client's results by the id of their calls."""
        self._results = {each: CallResult(text, is_error) for each, (text, is_error) in results.items()}
        self._posted.set()

    def _function(self, tool: ClientTool, name: str) -> Function:
        async def answer(given: object) -> CallResult:
            return await self._result(tool.name, given)

        return _ClientFunction(name=name, description=tool.description, schema=tool.schema, function=answer)

    async def _result(self, name: str, given: object) -> CallResult:
        while (found := self._take(name, given)) is None:
            self._posted.clear()
            self.called.set()
            await self._posted.wait()
        return found

    def _take(self, name: str, given: object) -> CallResult | None:
        """The result of this call: calls come in the order of the message, so of two that are equal the first one is meant."""
        waiting = [call for call in self._open if call.name == name and call.id in self._results]
        if not waiting:
            return None
        call = next((each for each in waiting if each.input == given), waiting[0])
        self._open.remove(call)
        return self._results.pop(call.id)


def _model_name(name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:40]
    return f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _bad(name: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(code="usage.bad_function", message=f"The tool cannot be offered: `{name}`\n  {why}")
    )
