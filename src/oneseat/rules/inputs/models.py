"""Mistyped model names. A name that nobody knows may be a new model; one that is nearly a known one is a slip."""

from __future__ import annotations

import re
from difflib import get_close_matches

from oneseat.contract.errors import ErrorInfo

#: The short names of the official CLI, and what full names of the vendors are made of.
_WORDS = ("default", "sonnet", "opus", "haiku", "opusplan", "claude", "codex", "gemini", "flash")
#: Words of full names that are nearly one of those.
_OTHERS = frozenset({"code", "mini", "omni", "opal"})
#: How alike two words are: `sonet` and `sonnet` are, `opus` and `opal` are not.
_ALIKE = 0.75
_LEAST_LETTERS = 4


def mistyped_model(name: str, corrected: str = "{}") -> ErrorInfo | None:
    """The error of a name that is nearly a known one; ``None`` for one that may be right.

    ``corrected`` is the command that the hint gives, with ``{}`` for the name that was probably meant.
    """
    meant = probable_model(name)
    if meant is None:
        return None
    return ErrorInfo(
        code="usage.unknown_model",
        message=f"Unknown model: `{name}`\n  it is nearly the name of another one",
        hint=f"Did you mean this: `{corrected.format(meant)}`",
    )


def probable_model(name: str) -> str | None:
    """The name that was probably meant; ``None`` for one that may be right."""
    meant = name
    for word in re.findall(r"[A-Za-z]+", name):
        near = get_close_matches(word.lower(), _WORDS, n=1, cutoff=_ALIKE)
        if len(word) >= _LEAST_LETTERS and near and word.lower() not in {*_WORDS, *_OTHERS}:
            meant = meant.replace(word, near[0])
    return meant if meant != name else None
