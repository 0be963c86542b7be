"""Where in a JSON text something stands, so that whoever wrote it finds it."""

from __future__ import annotations

import json
import re

_SPACE = re.compile(r"[ \t\r\n]*")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def line_of(text: str, path: str) -> int:
    """The line, from 1, of a path such as ``$.plans[1].name`` in ``text``, which is valid JSON.

    Of what is not there, the line of what would hold it.
    """
    at = _skip(text, 0)
    for name, index in _STEP.findall(path):
        try:
            found = _member(text, at, name) if name else _item(text, at, int(index))
        except (ValueError, RecursionError):  # a number of thousands of digits, which is JSON and no number
            break
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _member(text: str, at: int, wanted: str) -> int | None:
    """Where the value of a key begins in the object that begins at ``at``."""
    if text[at : at + 1] != "{":
        return None
    decode = json.JSONDecoder().raw_decode
    at, found = _skip(text, at + 1), None
    while text[at] != "}":
        key, end = decode(text, at)
        begin = _skip(text, _skip(text, end) + 1)
        _, end = decode(text, begin)
        if key == wanted:
            found = begin  # of one key written twice, the last one counts
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return found


def _item(text: str, at: int, wanted: int) -> int | None:
    """Where an item of the array that begins at ``at`` begins."""
    if text[at : at + 1] != "[":
        return None
    decode = json.JSONDecoder().raw_decode
    at = _skip(text, at + 1)
    while text[at] != "]":
        if wanted == 0:
            return at
        wanted -= 1
        _, end = decode(text, at)
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
