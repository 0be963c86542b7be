"""Text that is wrapped at the width of a page."""

from __future__ import annotations

from oneseat.cli.screen import leading, terminal_columns

from .table import lines_of, width_of

#: The width of a page where no terminal has one, and the widest that a person reads with ease.
_WIDTH, _WIDEST = 80, 100
#: The room of the name in front of a text.
_NAME = 14


def wrapped(text: str, indent: str = "", first: str | None = None) -> list[str]:
    """Lines as wide as the terminal, at most 100 columns (80 without one), behind ``indent``, or the first behind ``first``."""
    if not text:
        return []
    begin = indent if first is None else first
    width = min(terminal_columns() or _WIDTH, _WIDEST)
    # A narrow terminal has more use for the text than for its place below the one before.
    indent = indent if len(indent) * 2 <= width else "    "
    return lines_of(text, width, first=begin, indent=indent)


def fitting(text: str, indent: str = "  ") -> list[str]:
    """A line, continued behind ``indent`` where the terminal is narrower; whole in a pipe or a file."""
    columns = terminal_columns()
    if columns is None or width_of(text) <= columns:
        return [text]
    head, rest = leading(text)
    return wrapped(rest, indent, head)


def field(name: str, text: str) -> list[str]:
    """A named text: the name once, and each line of the text wrapped behind it. A command or an address stays whole."""
    room = min(terminal_columns() or _WIDEST, _WIDEST) - _NAME
    lines = [piece for line in text.splitlines() for piece in lines_of(line, max(room, 1), whole=True)]
    return [f"  {name if number == 0 else '':<{_NAME - 2}}{line}" for number, line in enumerate(lines)]


def listed(head: str, lines: list[str]) -> list[str]:
    """A list with its heading."""
    return [head, *(piece for line in lines for piece in wrapped(line, "    ", "  - "))]
