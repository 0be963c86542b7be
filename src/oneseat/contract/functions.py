"""A Python function that the assistant may call, made by ``oneseat.tool``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """What the assistant is told of a function, and the function itself.

    ``schema`` describes its arguments and ``arguments`` is the type they are checked against. ``read_only`` ones change nothing
    and may be called several at a time.
    """

    name: str
    description: str
    schema: dict[str, Any]
    arguments: type[msgspec.Struct]
    function: Callable[..., Any]
    read_only: bool = False

    def bind(self, given: object) -> Callable[[], Any]:
        """The call with these arguments, not yet made. Raises ``msgspec.ValidationError`` when they do not fit."""
        checked = msgspec.convert(given, self.arguments)
        named = {name: getattr(checked, name) for name in self.arguments.__struct_fields__}
        return lambda: self.function(**named)
