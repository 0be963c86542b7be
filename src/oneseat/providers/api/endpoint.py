"""Where requests go, and with which key. The key is in memory here while a conversation lasts, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

#: Handed to the SDKs in the key's place; it never leaves this process.
PLACEHOLDER = "the-key-is-added-by-oneseat"
#: Shorter values are words: taking them out of every text would hide nothing.
_SHORTEST_HIDDEN = 6


class Answered(NamedTuple):
    """The head of a response."""

    status: int
    content_type: str


class Endpoint:
    """One address with one key. ``headers`` are all that is sent, but for the key and what describes the body.

    ``answered`` is the head of the last response.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self.base_url = base_url
        self.headers = dict(headers)
        self.answered: Answered | None = None
        self._key = ""

    def unlock(self, key: str, header: str, scheme: str) -> None:
        """Send the key from now on, in ``header`` behind ``scheme``; none where it is empty."""
        self._key = key
        self.headers.pop(header, None)
        if key:
            self.headers[header] = f"{scheme}{key}"

    def hide(self, text: str) -> str:
        """``text`` without the key."""
        return text.replace(self._key, "[redacted:known]") if len(self._key) >= _SHORTEST_HIDDEN else text

    def __repr__(self) -> str:
        # The default one would print the key into the first traceback that shows a local variable.
        return f"Endpoint({self.base_url!r})"
