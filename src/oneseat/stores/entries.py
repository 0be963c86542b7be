"""What of an event or a result may be written down: redacted, storable, and without content when none is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from oneseat.contract import events as contract
from oneseat.contract.receipt import RunResult

#: Events that are not stored: the finished message is.
NOT_STORED = (contract.TextDelta, contract.ThinkingDelta)

#: How many characters are looked through at once, about: no other thread goes on meanwhile.
_AT_ONCE = 16 * 1024
#: The types of values that hold no text.
_WITHOUT_TEXT = frozenset({int, float, bool, type(None)})

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


_encode = msgspec.json.Encoder().encode


def storable(text: str) -> str:
    """``text`` with each lone surrogate as its visible escape; SQLite and JSON hold UTF-8 only, which has none.

    They come from file names that are not UTF-8 and from half an emoji; losing a run to one would be worse.
    """
    return text.encode("utf-8", "backslashreplace").decode() if _has_surrogate(text) else text


class Entries:
    """Makes what is stored. ``keep_text`` is whether content is kept at all.

    ``redact`` takes secrets out of a text. What it finds in one line, it finds as well where other lines stand around it.
    """

    def __init__(self, redact: Callable[[str], str], *, keep_text: bool) -> None:
        self._redact = redact
        self._keep_text = keep_text

    def text(self, text: str) -> str:
        """A text that is kept in any case, such as an error message."""
        return storable(self._redact(text))

    def content(self, text: str) -> str | None:
        """What was asked or answered; ``None`` when it is not kept."""
        return self.text(text) if self._keep_text else None

    def events(self, events: Iterable[contract.Event]) -> list[tuple[str, str]]:
        """The type and the JSON of each event.

        Nearly none holds a secret, and one look at the texts of many takes a fifth of the time of a look at each.
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
            if size >= _AT_ONCE:
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
        return _encode(fields).decode()


def _texts(event: contract.Event) -> list[str] | None:
    """Every text in an event, keys too; ``None`` for one with values that JSON does not have. A loop, as in ``_clean``."""
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
