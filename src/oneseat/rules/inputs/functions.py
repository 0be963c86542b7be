"""Python functions as tools, described to the assistant by their name, docstring and type hints."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, get_type_hints, overload

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.request import Function

F = TypeVar("F", bound=Callable[..., Any])
#: The attribute of a decorated function that holds its ``Function``.
_MARK = "__oneseat_tool__"
#: The vendor accepts 64 characters, and the CLI prepends `mcp__oneseat__`.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}", re.ASCII)
_NO_FUNCTION = "it is bound to an object, or built in: write a function that calls it, and decorate that one"
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(*, read_only: bool = False) -> Callable[[F], F]: ...
def tool(function: F | None = None, /, *, read_only: bool = False) -> F | Callable[[F], F]:
    """Mark a function as a tool that a run can offer to the assistant: ``oneseat.run(..., functions=[f])``.

    The assistant sees its name, its docstring and its typed parameters; arguments are validated before the function is called.
    A plain function is called in a thread, an async one in the run's event loop. The function itself is not changed.
    ``read_only`` means that it changes nothing, so that calls may run concurrently. Raises ``UsageError``
    ``usage.bad_function`` when a parameter has no type, or one that JSON cannot represent.
    """

    def mark(marked: F) -> F:
        described = _function_of(marked, read_only=read_only)
        try:
            setattr(marked, _MARK, described)
        except AttributeError:
            raise _bad(described.name, _NO_FUNCTION) from None
        return marked

    return mark if function is None else mark(function)


def functions_of(given: Iterable[Callable[..., Any]]) -> tuple[Function, ...]:
    """The ``Function`` of each decorated function.

    Raises ``UsageError`` ``usage.bad_function`` for an undecorated function, or when two have the same name.
    """
    found: dict[str, Function] = {}
    for each in given:
        function = getattr(each, _MARK, None)
        if not isinstance(function, Function):
            raise _bad(_name_of(each), "it is not decorated with `@oneseat.tool`")
        if function.name in found:
            raise _bad(function.name, "another function of the run has the same name")
        found[function.name] = function
    return tuple(found.values())


def _function_of(function: Callable[..., Any], *, read_only: bool) -> Function:
    if not callable(function):
        raise _bad(type(function).__name__, "it is no function")
    name, description = _name_of(function), inspect.getdoc(function)
    if not _NAME.fullmatch(name):
        raise _bad(name, "its name must be letters, digits and underscores, at most 50 of them")
    if not description:
        raise _bad(name, "it has no docstring, which the assistant needs as its description")
    arguments = _arguments_of(function, name)
    return Function(
        name=name,
        description=description,
        schema=_schema_of(arguments, name),
        arguments=arguments,
        function=function,
        read_only=read_only,
    )


def _arguments_of(function: Callable[..., Any], name: str) -> type[msgspec.Struct]:
    try:
        parameters = inspect.signature(function).parameters.values()
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise _bad(name, f"its type hints cannot be read: {error}") from error
    fields: list[Any] = []
    for parameter in parameters:
        if parameter.kind not in _NAMED:
            raise _bad(name, f"its parameter `{parameter.name}` cannot be passed by name")
        if parameter.name not in hints:
            raise _bad(name, f"its parameter `{parameter.name}` has no type")
        field = [parameter.name, hints[parameter.name]]
        if parameter.default is not inspect.Parameter.empty:
            field.append(_default(parameter.default))
        fields.append(tuple(field))
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def _default(value: Any) -> Any:
    # msgspec refuses a mutable default: one call could change it for the next.
    return msgspec.field(default_factory=lambda: value) if isinstance(value, list | dict | set) else value


def _schema_of(arguments: type[msgspec.Struct], name: str) -> dict[str, Any]:
    try:
        (top,), parts = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[-1]
        raise _bad(name, f"JSON cannot carry the type of a parameter: {reason}") from error
    # The protocol requires an object at the top level, not a reference.
    schema: dict[str, Any] = parts.pop(top["$ref"].rpartition("/")[2])
    del schema["title"]
    return {**schema, "$defs": parts} if parts else schema


def _name_of(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _bad(name: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.bad_function",
            message=f"The function cannot be offered as a tool: `{name}`\n  {why}",
        )
    )
