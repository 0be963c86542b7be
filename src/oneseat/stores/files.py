"""Names and paths in the errors of the stores."""

from __future__ import annotations


def printable(text: str) -> str:
    """A name or a path that is safe to print: it may hold line breaks, terminal codes and bytes that are not text."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
