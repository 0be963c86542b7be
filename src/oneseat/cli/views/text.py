"""Text that is wrapped at the width of a page."""

from __future__ import annotations

import textwrap

#: The narrowest terminal that everything fits.
WIDTH = 80
#: The width of a text behind its name, on a page of 100 characters.
_PAGE = 86


def wrapped(text: str, indent: str = "", first: str | None = None) -> list[str]:
    """Lines of at most 80 characters, each behind ``indent``, or the first one behind ``first``."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def field(name: str, text: str) -> list[str]:
    """A named text: the name once, and each line of the text wrapped behind it. A command or an address stays whole."""
    lines = [
        piece
        for line in text.splitlines()
        for piece in textwrap.wrap(line, _PAGE, break_on_hyphens=False, break_long_words=False)
    ]
    return [f"  {name if number == 0 else '':<12}{line}" for number, line in enumerate(lines)]


def listed(head: str, lines: list[str]) -> list[str]:
    """A list with its heading."""
    return [head, *(piece for line in lines for piece in wrapped(line, "    ", "  - "))]
