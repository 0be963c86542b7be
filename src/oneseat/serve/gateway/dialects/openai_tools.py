"""Tools, choices of tools and formats, which OpenAI's two APIs write nearly alike."""

from __future__ import annotations

from typing import Any

import msgspec

from oneseat.contract.gateway.chat import ClientTool

from .fields import bad, get, items, need, require

_ANY_OBJECT: dict[str, Any] = {"type": "object"}


def tools_of(value: Any) -> tuple[ClientTool, ...]:
    """The functions that a request offers. Raises ``ApiError`` for the vendor's own tools."""
    found = []
    for path, tool in items(value if value is not None else [], "tools"):
        if tool.get("type") != "function":
            raise bad(f"{path}.type", f"only functions are offered here: `{tool.get('type')}`")
        # The newer API writes the function's fields beside the type.
        inner = get(tool, "function", dict, path) or tool
        found.append(
            ClientTool(
                name=require(inner, "name", str, path),
                description=get(inner, "description", str, path) or "",
                schema=get(inner, "parameters", dict, path) or {"type": "object", "properties": {}},
            )
        )
    return tuple(found)


def choice_of(body: dict[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The functions of which one must be called, and whether tools are offered."""
    choice = body.get("tool_choice")
    names = [tool.name for tool in tools_of(body.get("tools"))]
    match choice:
        case None | "auto":
            return (), True
        case "none":
            return (), False
        case "required" if names:
            return tuple(names), True
        case {"type": "function"}:
            inner = get(choice, "function", dict, "tool_choice") or choice
            name = require(inner, "name", str, "tool_choice")
            if name not in names:
                raise bad("tool_choice", f"the request offers no such function: `{name}`")
            return (name,), True
        case _:
            raise bad("tool_choice", "this server does not know that choice")


def schema_of(kind: Any, inner: Any, path: str) -> dict[str, Any] | None:
    """The schema that a format asks the answer to fit; ``None`` for text. Raises ``ApiError``."""
    match kind:
        case None | "text":
            return None
        case "json_object":
            return _ANY_OBJECT
        case "json_schema":
            return require(need(inner, dict, f"{path}.json_schema"), "schema", dict, path)
        case other:
            raise bad(f"{path}.type", f"there is no such format: `{other}`")


def arguments_of(text: str) -> Any:
    """The arguments of a call as the model wrote them; what is no JSON stays text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
