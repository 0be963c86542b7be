"""The options of a request as callers in Python give them: each checked for type and value, and named by hints as it is written."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.receipt import MOST_USD
from oneseat.contract.request import MOST_SECONDS, MOST_TURNS, Attachment, Purpose, Tools

__all__ = ["DEFAULTS", "bad_option", "bad_value", "checked", "exclude", "in_python_words", "shown"]

_SHOWN = 60


class _Option(NamedTuple):
    """What an option is when it is left out, which values it takes, and how that is said."""

    default: Any
    takes: Callable[[Any], bool]
    expected: str
    example: str
    code: str = "usage.arguments"
    #: Whether it is several values: a single text or path in its place would be taken apart into letters.
    many: bool = False


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_valid(value: object, kind: type[msgspec.Struct]) -> bool:
    """Whether it is a struct of this type whose fields hold what they should: making one checks nothing."""
    if not isinstance(value, kind):
        return False
    try:
        msgspec.convert(msgspec.structs.asdict(value), kind)
    except msgspec.ValidationError:
        return False
    return True


def _is_tools(value: object) -> bool:
    if isinstance(value, Tools):
        return _is_valid(value, Tools)
    return isinstance(value, str) or (
        isinstance(value, list | tuple | set | frozenset) and all(map(_is_text, value))
    )


def _each(takes: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: all(map(takes, values))


_NAME = ("a name", '"NAME"')
_FLAG = _Option(default=False, takes=_is_flag, expected="`True` or `False`", example="True")
_OPTIONS: dict[str, _Option] = {
    "system": _Option(None, _is_text, "text", '"Be brief."'),
    "files": _Option(
        (),
        _each(lambda each: _is_path(each) or _is_valid(each, Attachment)),
        "a list of paths",
        '["notes.txt"]',
        many=True,
    ),
    "attachments": _Option(
        (),
        _each(lambda each: _is_valid(each, Attachment)),
        "a list of `Attachment`",
        '[oneseat.read_attachment("notes.txt")]',
        many=True,
    ),
    "schema": _Option(None, lambda _: True, "a type or a JSON Schema", "Invoice"),
    "model": _Option(None, _is_text, "the name of a model", '"sonnet"', "usage.unknown_model"),
    "fallback_model": _Option(None, _is_text, "the name of a model", '"haiku"', "usage.unknown_model"),
    "tools": _Option(None, _is_tools, "a profile, names of tools, or `Tools`", '"read,Bash"'),
    "permission_mode": _Option(None, _is_name, "a permission mode", '"acceptEdits"'),
    "add_dirs": _Option((), _each(_is_path), "a list of directories", '["/data"]', many=True),
    "mcp_servers": _Option(
        None,
        lambda value: isinstance(value, Mapping) or _is_path(value),
        "a mapping with `mcpServers`, or the path of a JSON file",
        '"servers.json"',
    ),
    "functions": _Option(
        (), _each(callable), "a list of functions", "[price_of]", "usage.bad_function", many=True
    ),
    "cwd": _Option(None, _is_path, "the path of a directory", '"/home/me/shop"'),
    "project": _Option(None, _is_name, *_NAME),
    "session": _Option(None, _is_name, *_NAME),
    "resume": _Option(
        default=False,
        takes=lambda value: _is_flag(value) or _is_name(value),
        expected="`True`, or the id of a session or run",
        example="True",
    ),
    "new_session": _FLAG,
    "wait_s": _Option(
        0.0, lambda value: _is_number(value) and value >= 0, "a number of seconds, 0 or more", "60"
    ),
    "timeout_s": _Option(
        None,
        lambda value: _is_number(value) and 0 < value <= MOST_SECONDS,
        "a number of seconds above 0",
        "120",
    ),
    "max_turns": _Option(
        None,
        lambda value: _is_whole(value) and 1 <= value <= MOST_TURNS,
        f"a whole number from 1 to {MOST_TURNS}",
        "10",
        "usage.bad_budget",
    ),
    "max_budget_usd": _Option(
        None,
        lambda value: _is_number(value) and 0 < value <= MOST_USD,
        f"an amount of US dollars above 0, at most {MOST_USD}",
        "0.50",
        "usage.bad_budget",
    ),
    "over_limit": _FLAG,
    "role": _Option(None, _is_name, *_NAME),
    "provider": _Option(None, _is_name, *_NAME),
    "key": _Option(None, _is_name, *_NAME),
    "purpose": _Option(
        None,
        lambda value: _is_valid(value, Purpose),
        "a `Purpose` with the words that it takes",
        'oneseat.Purpose(reader="customers")',
    ),
    "client": _Option(None, _is_name, *_NAME),
}
#: Every option of a request with the value that stands for leaving it out.
DEFAULTS: Mapping[str, Any] = {name: option.default for name, option in _OPTIONS.items()}


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """All options by name, each as it was given or as its default; several values as a tuple.

    Raises ``UsageError`` for a value of the wrong type, or out of range: ``usage.arguments``, ``usage.bad_budget``,
    ``usage.bad_function``, ``usage.unknown_model``. Raises ``TypeError`` for an option that does not exist.
    """
    strange = options.keys() - DEFAULTS.keys()
    if strange:
        raise TypeError(f"got an unexpected option: {', '.join(sorted(strange))}")
    return {
        name: _checked(name, options.get(name, option.default), option) for name, option in _OPTIONS.items()
    }


def _checked(name: str, value: Any, option: _Option) -> Any:
    if value is None and option.default is None:
        return None
    if option.many:
        if isinstance(value, str | bytes | os.PathLike | Mapping) or not isinstance(value, Iterable):
            raise bad_option(name, value)
        value = tuple(value)
    if not option.takes(value):
        raise bad_option(
            name, next((each for each in value if not option.takes((each,))), value) if option.many else value
        )
    return value


def bad_option(name: str, value: object) -> UsageError:
    """The error of an option with a value that it does not take."""
    option = _OPTIONS[name]
    alone = option.many and isinstance(value, str | os.PathLike)
    example = f'["{shown(value)}"]' if alone else option.example
    return UsageError(
        ErrorInfo(
            code=option.code,
            message=_no_value(name, value, option.expected),
            hint=f"Give it one, or leave it out: `{name}={example}`",
        )
    )


def bad_value(name: str, value: object, expected: str) -> UsageError:
    """The error of an argument that is no option of a request."""
    return UsageError(ErrorInfo(code="usage.arguments", message=_no_value(name, value, expected)))


def _no_value(name: str, value: object, expected: str) -> str:
    return f"Not a value for `{name}`: `{shown(value)}`\n  it takes {expected}"


def exclude(given: Mapping[str, Any], name: str, *others: str, why: str) -> None:
    """Raise ``UsageError`` ``usage.arguments`` where ``name`` is given beside one of the others."""
    beside = [other for other in others if given[other] != DEFAULTS[other]]
    if given[name] == DEFAULTS[name] or not beside:
        return
    raise UsageError(
        ErrorInfo(
            code="usage.arguments",
            message=f"These options exclude each other: `{name}`, `{beside[0]}`\n  {why}",
            hint=f"Leave one of them out: `{beside[0]}`",
        )
    )


def shown(value: object) -> str:
    """A value as an error may show it: on one line, short, and by its type alone where it may hold a secret."""
    # Of another type, it may hold the headers of a server.
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return "a number of more than 60 digits"
    if value is None or isinstance(value, bool | int | float | str | os.PathLike):
        text = str(value)[:_SHOWN]
        return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return type(value).__name__


#: Options of `oneseat run` whose names in Python are not simply theirs.
_NAMES = {
    "timeout": "timeout_s",
    "wait": "wait_s",
    "file": "files",
    "add_dir": "add_dirs",
    "mcp_config": "mcp_servers",
    "continue": "resume",
}
_SWITCHES = frozenset({"over_limit", "new_session", "resume"})
_LISTS = frozenset({"files", "add_dirs"})
#: A command to run a prompt, or an option of it alone, as hints quote them.
_QUOTED = re.compile(r"`(oneseat run\b[^`]*|--[a-z][^`]*)`")


def in_python_words(error: ErrorInfo) -> ErrorInfo:
    """The same error with a hint that names keyword arguments where it named options of `oneseat run`."""
    if error.hint is None:
        return error
    return msgspec.structs.replace(error, hint=_QUOTED.sub(_call, error.hint))


def _call(found: re.Match[str]) -> str:
    quoted = found[1]
    try:
        words = shlex.split(quoted)
    except ValueError:  # a quotation mark that is not closed
        return found[0]
    if words[:2] != ["oneseat", "run"]:
        return f"`{', '.join(_arguments(words))}`"
    if "--help" in words:
        return "`help(oneseat.run)`"
    arguments = list(_arguments(words[2:]))
    if "..." in arguments:  # the prompt, which comes first in Python
        arguments = ["...", *(each for each in arguments if each != "...")]
    return f"`oneseat.run({', '.join(arguments)})`"


def _arguments(words: Sequence[str]) -> Iterator[str]:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            yield word if word == "..." else _literal(word)
            continue
        name = word.removeprefix("--").replace("-", "_")
        name = _NAMES.get(name, name)
        if name in _SWITCHES:
            yield f"{name}=True"
        elif not rest or rest[0].startswith("--") or rest[0] == "...":
            yield f"{name}=..."
        else:
            value = _literal(rest.pop(0))
            yield f"{name}=[{value}]" if name in _LISTS else f"{name}={value}"


def _literal(word: str) -> str:
    """A word of a command as Python: numbers and placeholders as they are, anything else as text."""
    if word.isupper() or re.fullmatch(r"\d+(\.\d+)?", word):
        return word
    return f'"{word}"'
