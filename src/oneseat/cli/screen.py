"""What a terminal shows: its width, its colours, and no control characters of a text from elsewhere.

Imports nothing that takes time, as `oneseat usage` answers while a shell draws its prompt. A text is coloured before anybody
knows where it will be printed. So a style is a pair of characters that take no room and that Unicode keeps for such use
(noncharacters); printing turns them into the terminal's codes, or leaves them out.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TextIO

    Style = Literal["good", "bad", "doubtful", "strong", "quiet"]

_BEGINS: dict[Style, str] = {
    "good": "\ufdd0",
    "bad": "\ufdd1",
    "doubtful": "\ufdd2",
    "strong": "\ufdd3",
    "quiet": "\ufdd4",
}
_ENDS = "\ufdd5"
_MARKS = "".join(_BEGINS.values()) + _ENDS
_CODES = str.maketrans(
    dict(zip(_MARKS, ("\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"), strict=True))
)
_NOTHING = dict.fromkeys(map(ord, _MARKS))


#: A terminal obeys control characters: text from elsewhere must not move the cursor or rename the window.
_CONTROL = {code: "\ufffd" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}
#: The narrowest terminal that anything is fitted to.
_LEAST_COLUMNS = 20


def printable(text: str) -> str:
    """``text`` with every control character but line ends and tabs replaced."""
    return text.translate(_CONTROL)


def terminal_columns() -> int | None:
    """The width to print for: the variable COLUMNS, else that of the terminal. ``None`` for a pipe or a file, which have none."""
    named = os.environ.get("COLUMNS", "")
    try:
        columns = int(named) if named.isdecimal() else 0
        if not columns and sys.stdout.isatty():
            columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(columns, _LEAST_COLUMNS) if columns else None


def styled(text: str, style: Style) -> str:
    """``text`` in a style; empty text stays empty."""
    return f"{_BEGINS[style]}{text}{_ENDS}" if text else text


def plain(text: str) -> str:
    """``text`` without styles."""
    return text if text.isascii() else text.translate(_NOTHING)


def rendered(text: str, stream: TextIO) -> str:
    """``text`` as ``stream`` is to show it: with the terminal's codes, or without styles."""
    if text.isascii():
        return text
    if not wants_colour(stream):
        return text.translate(_NOTHING)
    # A text from elsewhere may hold the beginning of a style alone.
    is_open = max(map(text.rfind, _BEGINS.values())) > text.rfind(_ENDS)
    return text.translate(_CODES) + ("\x1b[0m" if is_open else "")


def restyled(text: str, like: str) -> str:
    """A piece of ``like`` in the style of ``like``; plain where that has several."""
    one = like[:1] in _BEGINS.values() and like.find(_ENDS) == len(like) - 1
    return f"{like[0]}{text}{_ENDS}" if one and text else text


def leading(text: str) -> tuple[str, str]:
    """The styled beginning of a text, if it has one, and the rest."""
    if text[:1] not in _BEGINS.values():
        return "", text
    head, end, rest = text.partition(_ENDS)
    return head + end, rest


def wants_colour(stream: TextIO) -> bool:
    """Whether colours are wanted on ``stream``: a terminal, unless NO_COLOR or FORCE_COLOR says otherwise; NO_COLOR wins."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in {"", "0"}:
        return True
    if os.environ.get("TERM") == "dumb" or (sys.platform == "win32" and "WT_SESSION" not in os.environ):
        return False  # an old console of Windows would show the codes themselves
    return stream.isatty()
