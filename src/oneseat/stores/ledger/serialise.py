"""Turns events and results into what the ledger stores: redacted, valid UTF-8, and without content when none is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from oneseat.contract import events as contract
from oneseat.contract.receipt import RunResult

#: Pieces of text are not stored: the finished message is.
TRANSIENT = (contract.TextDelta, contract.ThinkingDelta)

#: About how many characters are searched at once: no other thread runs meanwhile.
_GROUP_CHARS = 16 * 1024
#: Types of values without text.
_WITHOUT_TEXT = frozenset({int, float, bool, type(None)})

#: The fields of each event with content of prompts and answers, and their values when no text is kept.
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


_encode = msgspec.json.Encoder().encode


def storable(text: str) -> str:
    """``text`` with each lone surrogate escaped, because SQLite and JSON hold UTF-8 only.

    Surrogates come from file names that are not UTF-8 and from half an emoji. Refusing them would lose the run.
    """
    return text.encode("utf-8", "backslashreplace").decode() if _has_surrogate(text) else text


class EventSerialiser:
    """``keep_text`` is whether content is stored at all.

    ``redact`` removes secrets from a text. It must find in joined lines what it finds in each of them.
    """

    def __init__(self, redact: Callable[[str], str], *, keep_text: bool) -> None:
        self._redact = redact
        self._keep_text = keep_text

    def text(self, text: str) -> str:
        """A text that is always stored, such as an error message."""
        return storable(self._redact(text))

    def content(self, text: str) -> str | None:
        """A prompt or an answer; ``None`` when no text is kept."""
        return self.text(text) if self._keep_text else None

    def events(self, events: Iterable[contract.Event]) -> list[tuple[str, str]]:
        """The type and the JSON of each event.

        Nearly no event holds a secret, and searching the joined texts of many takes a fifth of the time of one search each.
        """
        entries: list[tuple[str, str]] = []
        group: list[contract.Event] = []
        texts: list[str] = []
        size = 0
        for event in events:
            found = _texts(event) if self._keep_text else None
            if found is None:
                entries += (*self._group(group, texts), self.event(event))
                group, texts, size = [], [], 0
                continue
            group.append(event)
            texts += found
            size += sum(map(len, found))
            if size >= _GROUP_CHARS:
                entries += self._group(group, texts)
                group, texts, size = [], [], 0
        return [*entries, *self._group(group, texts)]

    def _group(self, group: Sequence[contract.Event], texts: Iterable[str]) -> list[tuple[str, str]]:
        lines = "\n".join(texts)
        if self.text(lines) != lines:
            return [self.event(event) for event in group]
        return [(str(event.__struct_config__.tag), _encode(event).decode()) for event in group]

    def event(self, event: contract.Event) -> tuple[str, str]:
        """The type and the JSON of an event."""
        fields: dict[str, Any] = msgspec.to_builtins(event)
        kind: str = fields["type"]
        if not self._keep_text:
            # Of an unknown event only the type is kept: any field may be content.
            fields = {**fields, **_CONTENT[kind]} if kind in _CONTENT else {"type": kind}
        return kind, self._json(fields)

    def result(self, result: RunResult) -> str:
        """The JSON of a result without its text, which has a column of its own."""
        fields: dict[str, Any] = msgspec.to_builtins(result)
        fields["text"] = ""
        if not self._keep_text:
            fields["structured"] = None
        return self._json(fields)

    def _json(self, fields: dict[str, Any]) -> str:
        _clean(fields, self.text)
        return _encode(fields).decode()


def _texts(event: contract.Event) -> list[str] | None:
    """Every text in an event, keys too; ``None`` for an event with values that JSON lacks. A loop, as in ``_clean``."""
    found: list[str] = []
    pending: list[Any] = [event]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            values: Iterable[Any] = (*node, *node.values())
        elif isinstance(node, msgspec.Struct):
            values = msgspec.structs.astuple(node)
        elif isinstance(node, list | tuple):
            values = node
        else:
            return None
        for value in values:
            if type(value) is str:
                found.append(value)
            elif type(value) not in _WITHOUT_TEXT:
                pending.append(value)
    return found


def _clean(root: dict[str, Any], clean: Callable[[str], str]) -> None:
    """Replace every string in ``root``, keys too. A loop, because a tool's input may be nested deeper than the stack."""
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
