"""Tables that fit the terminal, and names on one line.

Imports nothing that takes time as long as every character is one column wide: `oneseat usage` answers while a shell draws its
prompt.
"""

from __future__ import annotations

from oneseat.cli.screen import plain, printable, restyled, styled, terminal_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from types import ModuleType

#: The widest name where names stand side by side on one line.
NAME = 24
_GAP = "  "
#: A longer word, as in a directory, may be broken, down to columns of this width.
_WHOLE, _NARROWEST = 36, 12


def table(
    rows: Sequence[Sequence[str] | None], *, right: Collection[int] = (), head: bool = False, indent: int = 0
) -> list[str]:
    """Rows as lines, with each column as wide as its widest cell; ``None`` is a line across all of them.

    The columns ``right`` hold numbers and end at the right. Where the terminal is narrower, text is wrapped within its
    column; where that is not enough and the first row is the ``head``, each row becomes a paragraph of named values.
    Nothing is cut. ``indent`` is the room that the caller's own indentation takes.
    """
    flat = [None if row is None else [_flat(cell) for cell in row] for row in rows]
    columns = list(zip(*(row for row in flat if row is not None), strict=True))
    widths = [max(map(width_of, column)) for column in columns]
    least = [widths[number] if number in right else _least(column) for number, column in enumerate(columns)]
    fitted = _fitted(widths, least, indent)
    if fitted is None and head:
        return list(_paragraphs([row for row in flat if row is not None]))
    # Without names for the values there are no paragraphs: break names, rather than lines at any place.
    fitted = fitted or _fitted(widths, [min(width, _NARROWEST) for width in least], indent)
    return list(_lines(flat, fitted or widths, right, head=head))


def width_of(text: str) -> int:
    """How many columns of a terminal a text on one line takes."""
    text = plain(text)
    return len(text) if _is_simple(text) else _wide().width(text)


def clip(text: str, width: int = NAME, *, end: bool = False) -> str:
    """``text`` on one line of at most ``width`` columns: its beginning, or its ``end``, which says more of a directory.

    A control character from a file would move the cursor, so it is replaced. No character is cut in two, however it is made.
    """
    flat = " ".join(text.split())
    flat = "".join(char if char.isprintable() or char in _JOINERS else "\ufffd" for char in flat)
    if width_of(flat) <= width:
        return flat
    kept = flat[1 - width :] if end else flat[: width - 1]
    if not _is_simple(flat):
        kept = _wide().part(flat, width - 1, end=end)
    return f"…{kept}" if end else f"{kept}…"


def padded(text: str, width: int, *, right: bool = False) -> str:
    """``text`` with spaces up to ``width`` columns; ``right`` puts them in front."""
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def lines_of(text: str, width: int, *, whole: bool = False, first: str = "", indent: str = "") -> list[str]:
    """``text`` wrapped at ``width`` columns: between words, and within one that is wider, unless words stay ``whole``.

    The first line stands behind ``first``, the others behind ``indent``.
    """
    begin = " " * width_of(first)
    if width_of(text) + len(begin) <= width:
        return [first + text]
    lines = _wide().wrapped(plain(text), width, whole=whole, first=begin, indent=indent)
    return [first + restyled(lines[0][len(begin) :], text), *(restyled(line, text) for line in lines[1:])]


#: What makes one character of several: the joiners, and the choice between a picture and a letter.
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
#: What oneseat itself prints beyond ASCII, each one column wide.
_OWN = frozenset("…·█▏▎▍▌▋▊▉\ufffd")


def _is_simple(text: str) -> bool:
    """Whether every character is known to be one column wide: below U+0300 there are no wide ones and none that combine."""
    return text.isascii() or all(char < "\u0300" or char in _OWN for char in text)


def _wide() -> ModuleType:
    from . import wide  # noqa: PLC0415 - see above

    return wide


def plural(count: int, noun: str) -> str:
    """``1 answer``, ``2 answers``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _least(column: Sequence[str]) -> int:
    """The width to which a column of text may be narrowed: a name or an id stays whole, which can then be copied."""
    longest = max((width_of(word) for cell in column for word in cell.split()), default=0)
    return longest if longest <= _WHOLE else _NARROWEST


def _fitted(widths: Sequence[int], least: Sequence[int], indent: int) -> list[int] | None:
    """Widths that fit the terminal, the widest columns narrowed first; ``None`` when none do."""
    room = terminal_columns()
    fitted = list(widths)
    if room is None:
        return fitted
    room -= len(_GAP) * (len(widths) - 1) + indent
    while (excess := sum(fitted) - room) > 0:
        wide = [column for column, width in enumerate(fitted) if width > least[column]]
        if not wide:
            return None
        widest = max(wide, key=lambda column: fitted[column])
        others = [fitted[column] for column in wide if fitted[column] < fitted[widest]]
        # Down to the next widest one, so that the narrowing is shared.
        goal = max([least[widest], fitted[widest] - excess, *(others and [max(others)])])
        fitted[widest] = min(goal, fitted[widest] - 1)
    return fitted


def _flat(cell: str) -> str:
    return " ".join(printable(cell).splitlines())


def _lines(
    rows: Sequence[Sequence[str] | None], widths: Sequence[int], right: Collection[int], *, head: bool
) -> Iterator[str]:
    across = "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    for number, row in enumerate(rows):
        lines = [across] if row is None else _row(row, widths, right)
        yield from (styled(line, "strong") for line in lines) if head and number == 0 else lines


def _row(row: Sequence[str], widths: Sequence[int], right: Collection[int]) -> Iterator[str]:
    columns = [lines_of(cell, width) for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, columns))):
        pieces = [
            padded(lines[number] if number < len(lines) else "", width, right=column in right)
            for column, (lines, width) in enumerate(zip(columns, widths, strict=True))
        ]
        yield _GAP.join(pieces).rstrip()


def _paragraphs(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Each row as its first cell, and below it the other ones with their names."""
    head, *others = rows
    indent = max(map(width_of, head[1:])) + 2 * len(_GAP)
    room = max((terminal_columns() or 0) - indent, _NARROWEST)
    for row in others:
        yield from (styled(line, "strong") for line in lines_of(plain(row[0]), indent + room))
        for name, cell in zip(head[1:], row[1:], strict=True):
            if cell:
                first, *rest = lines_of(cell, room)
                yield f"{_GAP}{padded(name, indent - 2 * len(_GAP))}{_GAP}{first}"
                yield from (" " * indent + line for line in rest)
