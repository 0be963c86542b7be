"""Where requests go, and with which key. During a conversation the key is in memory only here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

#: Passed to the SDKs in place of the key; it never leaves this process.
PLACEHOLDER = "the-key-is-added-by-oneseat"
#: Shorter values are ordinary words: redacting them would hide nothing.
_SHORTEST_HIDDEN = 6


class Answered(NamedTuple):
    """The head of a response."""

    status: int
    content_type: str


class Endpoint:
    """One base URL with one key. ``headers`` are all headers that are sent, except the key and those that describe the body.

    ``answered`` is the head of the last response.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self.base_url = base_url
        self.headers = dict(headers)
        self.answered: Answered | None = None
        self._key = ""

    def unlock(self, key: str, header: str, scheme: str) -> None:
        """Send the key from now on, in ``header`` after ``scheme``; an empty key is not sent."""
        self._key = key
        self.headers.pop(header, None)
        if key:
            self.headers[header] = f"{scheme}{key}"

    def hide(self, text: str) -> str:
        """``text`` without the key."""
        return text.replace(self._key, "[redacted:known]") if len(self._key) >= _SHORTEST_HIDDEN else text

    def __repr__(self) -> str:
        # The default one would put the key into any traceback that shows local variables.
        return f"Endpoint({self.base_url!r})"
