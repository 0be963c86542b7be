"""Tables and names of a fixed width. Imports nothing that takes time: `oneseat usage` answers while a shell draws its prompt."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: The widest name in a column.
NAME = 24


def table(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """Rows as lines, with each column as wide as its widest cell. The columns ``right`` hold numbers and end at the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def clip(text: str, width: int = NAME, *, end: bool = False) -> str:
    """``text`` on one line of at most ``width`` characters: its beginning, or its ``end``, which says more of a directory.

    A control character from a file would move the cursor, so it is replaced.
    """
    flat = " ".join(text.split())
    flat = "".join(char if char.isprintable() else "\ufffd" for char in flat)
    if len(flat) <= width:
        return flat
    return f"…{flat[1 - width :]}" if end else f"{flat[: width - 1]}…"


def plural(count: int, noun: str) -> str:
    """``1 answer``, ``2 answers``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
