"""Describes the types of fields in terms that apply to JSON and Python alike."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

_PLAIN: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    msgspec.UnsetType: "absent",
    Any: "anything",
    msgspec.Raw: "object",
}


def describe_rule(kind: Any, links: Mapping[type, str]) -> str:
    """The annotation ``kind`` in words. ``links`` are the links to structures that are described elsewhere.

    Raises ``KeyError`` for an annotation that has no description yet.
    """
    origin = get_origin(kind)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if origin in (Union, types.UnionType):
        return " or ".join(describe_rule(part, links) for part in get_args(kind))
    if origin is tuple:
        return _list_of(get_args(kind), links)
    if origin is dict:
        return "object"
    return f"[{kind.__name__}]({links[kind]})" if kind in links else _PLAIN[kind]


def _list_of(parts: tuple[Any, ...], links: Mapping[type, str]) -> str:
    if parts[-1] is Ellipsis:
        return f"list of {describe_rule(parts[0], links)}"
    return "list: " + ", ".join(describe_rule(part, links) for part in parts)
