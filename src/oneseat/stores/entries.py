"""What of an event or a result may be written down: redacted, storable, and without content when none is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from oneseat.contract import events as contract
from oneseat.contract.receipt import RunResult

#: Events that are not stored: the finished message is.
NOT_STORED = (contract.TextDelta, contract.ThinkingDelta)

#: The fields that carry what was asked and answered, with what stands there when no text is kept.
_CONTENT: dict[str, dict[str, Any]] = {
    "wallet_verified": {},
    "routed": {},
    "session_renewed": {},
    "started": {},
    "message": {"text": ""},
    "tool_call": {"input": {}},
    "tool_result": {"text": ""},
    "question": {"input": {}, "why": None},
    "answered": {"why": None},
    "usage": {},
    "limit_seen": {},
    "limit_near": {},
    "retry": {},
    "model_fallback": {},
    "progress": {},
    "unknown": {"raw": ""},
    "stderr": {"text": ""},
    "turn_ended": {"text": "", "structured": None, "unfinished": []},
}


def storable(text: str) -> str:
    """``text`` with each lone surrogate as its visible escape; SQLite and JSON hold UTF-8 only, which has none.

    They come from file names that are not UTF-8 and from half an emoji; losing a run to one would be worse.
    """
    return text.encode("utf-8", "backslashreplace").decode() if _has_surrogate(text) else text


class Entries:
    """Makes what is stored. ``redact`` takes secrets out of a text; ``keep_text`` is whether content is kept at all."""

    def __init__(self, redact: Callable[[str], str], *, keep_text: bool) -> None:
        self._redact = redact
        self._keep_text = keep_text

    def text(self, text: str) -> str:
        """A text that is kept in any case, such as an error message."""
        return storable(self._redact(text))

    def content(self, text: str) -> str | None:
        """What was asked or answered; ``None`` when it is not kept."""
        return self.text(text) if self._keep_text else None

    def event(self, event: contract.Event) -> tuple[str, str]:
        """The type and the JSON of an event."""
        fields: dict[str, Any] = msgspec.to_builtins(event)
        kind: str = fields["type"]
        if not self._keep_text:
            # An event this table does not know keeps its type only: what is in it may be content.
            fields = {**fields, **_CONTENT[kind]} if kind in _CONTENT else {"type": kind}
        return kind, self._json(fields)

    def result(self, result: RunResult) -> str:
        """The JSON of a result without its text, which has its own column."""
        fields: dict[str, Any] = msgspec.to_builtins(result)
        fields["text"] = ""
        if not self._keep_text:
            fields["structured"] = None
        return self._json(fields)

    def _json(self, fields: dict[str, Any]) -> str:
        _clean(fields, self.text)
        return msgspec.json.encode(fields).decode()


def _clean(root: dict[str, Any], clean: Callable[[str], str]) -> None:
    """Replace every string in ``root``, keys too. A loop, as a tool's input may be nested as deeply as the stack."""
    pending: list[Any] = [root]
    while pending:
        node = pending.pop()
        items = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
        for key, value in items:
            new: Any = value
            if isinstance(value, str):
                new = clean(value)
            elif isinstance(value, tuple):
                new = list(value)
            if isinstance(new, dict | list):
                pending.append(new)
            node[key] = new
        if isinstance(node, dict):
            cleaned = {clean(key) if isinstance(key, str) else key: value for key, value in node.items()}
            node.clear()
            node.update(cleaned)


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
