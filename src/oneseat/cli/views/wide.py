"""Text that has to be wrapped, or whose characters are not all one column wide. Takes 50 ms to load."""

from __future__ import annotations

import wcwidth


def width(text: str) -> int:
    """How many columns of a terminal a text on one line takes."""
    return wcwidth.width(text)


def part(text: str, room: int, *, end: bool) -> str:
    """As many whole characters from the beginning, or the ``end``, of a text as ``room`` columns hold."""
    kept: list[str] = []
    for character in wcwidth.iter_graphemes_reverse(text) if end else wcwidth.iter_graphemes(text):
        room -= wcwidth.width(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(reversed(kept) if end else kept)


def wrapped(text: str, columns: int, *, whole: bool, first: str = "", indent: str = "") -> list[str]:
    """Lines of at most ``columns``, broken between words; where words do not stay ``whole``, also within one that is wider.

    The first line stands behind ``first``, the others behind ``indent``.
    """
    lines: list[str] = wcwidth.wrap(
        text,
        columns,
        initial_indent=first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=not whole,
    )
    return lines
