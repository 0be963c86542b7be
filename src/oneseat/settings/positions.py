"""The line and column of each key of a settings file, which the standard library's parser does not report."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

Key = tuple[str, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_BLANK = re.compile(r"[ \t]*+")
_PART = re.compile(r"[A-Za-z0-9_-]++|\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*+'")
#: The tokens of a value. A multi-line string may end with up to two quotes before its closing three.
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:""?)?'
    r"|'''.*?'''(?:''?)?"
    r"|\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*+'|#[^\n]*+|[\[\]{}\n]|[^\"'#\[\]{}\n]++",
    re.DOTALL,
)


def positions(text: str) -> dict[Key, tuple[int, int]]:
    """Line and column, counted from 1, of every key and table header. ``text`` must be valid TOML.

    Keys inside a value, such as an inline table, have no position.
    """
    found: dict[Key, tuple[int, int]] = {}
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    line = 0
    for key, at in _keys(text):
        while line + 1 < len(starts) and starts[line + 1] <= at:
            line += 1
        found.setdefault(key, (line + 1, at - starts[line] + 1))
    return found


def position(key: Key, found: dict[Key, tuple[int, int]]) -> tuple[int, int] | None:
    """The position of ``key``, or of the innermost table around it."""
    return next((found[key[:end]] for end in range(len(key), 0, -1) if key[:end] in found), None)


def _keys(text: str) -> Iterator[tuple[Key, int]]:
    """Every key with its offset, in order."""
    at = 0
    table: Key = ()
    while (at := _end(_SPACE, text, at)) < len(text):
        begin = at
        header = text[at] == "["
        if header:
            at += 2 if text.startswith("[[", at) else 1
        parts, at = _dotted(text, at)
        if not parts:  # not TOML: what follows cannot be located reliably
            return
        key = parts if header else table + parts
        if header:
            table = key
        yield key, begin
        at = _end_of_line(text, at)


def _dotted(text: str, at: int) -> tuple[Key, int]:
    parts: list[str] = []
    while (part := _PART.match(text, _end(_BLANK, text, at))) is not None:
        parts.append(_plain(part[0]))
        at = _end(_BLANK, text, part.end())
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(parts), at


def _plain(part: str) -> str:
    if part[0] == '"':
        return str(tomllib.loads(f"x = {part}")["x"])
    return part.strip("'") if part[0] == "'" else part


def _end_of_line(text: str, at: int) -> int:
    """The end of the statement that began before ``at``: of its line, unless brackets or a multi-line string continue."""
    depth = 0
    while (piece := _PIECE.match(text, at)) is not None:
        at = piece.end()
        if piece[0] == "\n" and depth <= 0:
            return at
        if piece[0] in "[{":
            depth += 1
        elif piece[0] in "]}":
            depth -= 1
    return len(text)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match is not None else at
