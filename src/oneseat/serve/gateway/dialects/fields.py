"""Reads the fields of a request: each by its type and its path, and none that nobody knows."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from oneseat.app.requests import attachment
from oneseat.contract.gateway.chat import Turn
from oneseat.contract.request import Attachment
from oneseat.serve.gateway.errors import ApiError, refusal

T = TypeVar("T")
_NAMES = {str: "a text", dict: "an object", list: "a list", bool: "true or false", int: "a whole number"}


class Parameters(NamedTuple):
    """What an API's request may hold at its top.

    ``used`` has a meaning here. ``hints`` only say how to answer: the seat cannot follow them. ``refused`` would change the
    shape of the answer; the values that do not are listed with each. ``required`` are hints that the API itself demands.
    """

    used: Collection[str]
    hints: Collection[str]
    refused: dict[str, tuple[Any, ...]]
    required: Collection[str] = ()

    def check(self, body: dict[str, Any]) -> tuple[str, ...]:
        """The hints that are given. Raises ``ApiError`` for a parameter that is refused, and for one that is not known."""
        found = []
        for name, value in body.items():
            if name in self.refused:
                if value is not None and value not in self.refused[name]:
                    raise bad(name, "this server cannot answer in that shape")
            elif name not in self.used and name not in self.hints:
                raise bad(name, "there is no such parameter")
            elif name in self.hints and value is not None:
                found.append(name)
        return tuple(found)


def names(text: str) -> frozenset[str]:
    """Names that are separated by spaces."""
    return frozenset(text.split())


def bad(path: str, why: str) -> ApiError:
    """The error of a request that cannot be read. ``path`` is where."""
    return refusal("usage.bad_request", f"Invalid request at `{path}`: {why}")


def get(value: dict[str, Any], name: str, kind: type[T], path: str) -> T | None:
    """A field of a type; ``None`` when it is not there or null. Raises ``ApiError``."""
    found = value.get(name)
    if found is None:
        return None
    return need(found, kind, f"{path}.{name}" if path else name)


def need(value: Any, kind: type[T], path: str) -> T:
    """A value of a type. Raises ``ApiError``."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise bad(path, f"it must be {_NAMES[kind]}")
    return value


def require(value: dict[str, Any], name: str, kind: type[T], path: str) -> T:
    """A field that must be there. Raises ``ApiError``."""
    return need(value.get(name), kind, f"{path}.{name}" if path else name)


def items(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list with their paths. Raises ``ApiError``."""
    for index, each in enumerate(need(value, list, path)):
        yield f"{path}[{index}]", need(each, dict, f"{path}[{index}]")


def texts(value: Any, path: str) -> tuple[str, ...]:
    """One text or a list of them; empty when there is none. Raises ``ApiError``."""
    if value is None:
        return ()
    listed = [value] if isinstance(value, str) else need(value, list, path)
    return tuple(need(each, str, f"{path}[{index}]") for index, each in enumerate(listed))


def base64_file(name: str, data: str, path: str) -> Attachment:
    """A file of base64 text. Raises ``ApiError``, and ``UsageError`` for a file that cannot be attached."""
    try:
        return attachment(name, base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise bad(path, "it is not base64") from None


def data_url(url: str, name: str, path: str) -> Attachment:
    """A file that is given in place. Raises ``ApiError`` for an address: this server fetches nothing."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not comma:
        raise bad(path, "only data URLs are accepted; this server fetches no address")
    return base64_file(name, data, path)


def merged(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with neighbours of one role as one, which is how the model gets them."""
    found: list[Turn] = []
    for turn in turns:
        if found and found[-1].role == turn.role:
            before = found.pop()
            both = Turn(
                role=turn.role,
                text="\n\n".join(text for text in (before.text, turn.text) if text),
                attachments=before.attachments + turn.attachments,
                calls=before.calls + turn.calls,
                answers=before.answers + turn.answers,
            )
            found.append(both)
        else:
            found.append(turn)
    return tuple(found)


def checked(turns: Sequence[Turn], path: str) -> tuple[Turn, ...]:
    """The turns as a conversation that the user goes on with. Raises ``ApiError`` where it is none."""
    found = merged(turns)
    if not found or found[-1].role != "user":
        raise bad(path, "the last message must be the user's; an answer cannot be begun for the model")
    if found[0].role != "user":
        raise bad(path, "the first message must be the user's")
    calls: set[str] = set()
    for turn in found:
        answered = {each.id for each in turn.answers}
        if unknown := answered - calls:
            raise bad(path, f"a result answers no open call: `{min(unknown)}`")
        if turn.role == "user" and (left := calls - answered):
            raise bad(path, f"a call has no result: `{min(left)}`")
        calls = {call.id for call in turn.calls}
    last = found[-1]
    if not (last.text.strip() or last.attachments or last.answers):
        raise bad(path, "the last message is empty")
    return found
