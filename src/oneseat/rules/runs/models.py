"""Whether the model that answers is the one that was asked for."""

from __future__ import annotations

import re

#: Names that leave the choice to the official CLI.
_ANY = frozenset({"default", "best", "opusplan", "inherit"})
#: What vendors add to a name without another model being meant: the day of a version, `-latest`, `-001`.
_VERSION = re.compile(r"([-@](20\d{6}|20\d\d-\d\d-\d\d)|-latest|-0\d\d|-0)$")
_SIZE_OF_CONTEXT = re.compile(r"\[\w+\]$")
_WORDS = re.compile(r"[a-z0-9]+")


def is_meant(asked: str, answered: str) -> bool:
    """Whether ``answered`` is the model that ``asked`` stands for: the same name, a version of it, or what a short name means.

    A short name has no number (`sonnet`, `gemini-flash-latest`): all of its words must be in the full one.
    """
    wanted, found = _plain(asked), _plain(answered)
    if wanted == found or wanted in _ANY:
        return True
    if any(map(str.isdigit, wanted)):
        return False
    return set(_WORDS.findall(wanted)) <= set(_WORDS.findall(found))


def _plain(name: str) -> str:
    """A name without what says the same in other words: its vendor, the size of its context, its version."""
    plain = name.strip().lower().rpartition("/")[2].partition(":")[0].replace(".", "-")
    return _VERSION.sub("", _SIZE_OF_CONTEXT.sub("", plain))
