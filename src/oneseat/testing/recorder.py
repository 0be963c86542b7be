"""Records the requests that reach the simulator, for assertions. Credential values are never stored."""

from __future__ import annotations

import collections
import re
import threading
from typing import Any
from urllib.parse import unquote

import msgspec

from oneseat.contract.simulated import SIMULATOR_KEY, SIMULATOR_TOKEN

from .dialects import dialect_of
from .http import HttpRequest

#: Headers whose values cannot contain a credential. For all others only the name is recorded.
_KEPT_VALUES = frozenset(
    {"accept", "accept-encoding", "anthropic-beta", "anthropic-version", "connection", "content-length", "content-type",
     "expect", "host", "transfer-encoding", "user-agent", "x-app"}
)  # fmt: skip
_KEPT_PREFIX = "x-stainless-"
_NOT_KEPT = "(not kept)"
_KEY_HEADERS = ("x-api-key", "x-goog-api-key")
_MADE_UP = (SIMULATOR_TOKEN, SIMULATOR_KEY)
#: The Gemini API names the model in the path, not in the body.
_MODEL_IN_PATH = re.compile(r"/v1(?:alpha|beta)?/models/(?P<model>[^/:]+):")
#: The oldest bodies beyond this total are dropped, so that a simulator that runs for days stays small.
_KEEP_BYTES = 256 * 1024 * 1024


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request that reached the simulator.

    ``number`` counts all requests from 1 in order of arrival. ``path`` is the API's own path, without scenario and label.
    ``auth`` names the kinds of credentials it carried: ``bearer``, ``empty-bearer``, ``authorization`` (another scheme),
    ``x-api-key`` or ``x-goog-api-key``; ``simulator_token`` is true when one of them is ``SIMULATOR_TOKEN`` or
    ``SIMULATOR_KEY``. ``body`` is the parsed JSON, ``None`` when there was none. ``headers`` holds all names in lower case, and
    the values of those that cannot hold a credential.
    """

    number: int
    method: str
    path: str
    scenario: str
    label: str | None
    auth: tuple[str, ...]
    simulator_token: bool
    model: str | None
    body: Any
    body_bytes: int
    headers: dict[str, str]

    @property
    def on_plan(self) -> bool:
        """Whether a plan would have paid: the official CLIs indicate it by a header or the path."""
        return self.path.startswith("/codex/") or "oauth" in self.headers.get("anthropic-beta", "")

    @property
    def is_message(self) -> bool:
        """Whether this is a model request, the only kind that costs anything."""
        return dialect_of(self.method, self.path) is not None


class Recorder:
    """All requests so far. Safe to use from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reset()

    def _reset(self) -> None:
        self._records: list[RecordedRequest] = []
        self._bodies: collections.deque[int] = collections.deque()
        self._kept_bytes = 0
        self._counts: collections.Counter[tuple[str, str | None]] = collections.Counter()

    def add(
        self, request: HttpRequest, *, path: str, scenario: str, label: str | None, body: Any
    ) -> tuple[int, RecordedRequest]:
        """Record a request. Returns the number of earlier model requests with this scenario and label, and the record."""
        with self._changed:
            record = _record(len(self._records) + 1, request, path, scenario, label, body)
            self._records.append(record)
            nth = self._counts[scenario, label]
            if record.is_message:
                self._counts[scenario, label] += 1
            self._forget_old_bodies(record)
            self._changed.notify_all()
            return nth, record

    def _forget_old_bodies(self, newest: RecordedRequest) -> None:
        self._bodies.append(newest.number - 1)
        self._kept_bytes += newest.body_bytes
        while self._kept_bytes > _KEEP_BYTES and len(self._bodies) > 1:
            index = self._bodies.popleft()
            self._kept_bytes -= self._records[index].body_bytes
            self._records[index] = msgspec.structs.replace(self._records[index], body=None)

    def all(self, label: str | None = None) -> list[RecordedRequest]:
        """The requests in order of arrival, of one label or of all."""
        with self._changed:
            return [record for record in self._records if label is None or record.label == label]

    def clear(self) -> None:
        """Forget all requests and start every script from its first reply."""
        with self._changed:
            self._reset()

    def wait_for_messages(self, count: int, label: str | None, timeout_s: float) -> bool:
        """Block until ``count`` model requests have arrived; false after the time limit."""
        with self._changed:
            return self._changed.wait_for(lambda: self._messages(label) >= count, timeout_s)

    def _messages(self, label: str | None) -> int:
        return sum(n for (_, counted), n in self._counts.items() if label is None or counted == label)


def _record(
    number: int, request: HttpRequest, path: str, scenario: str, label: str | None, body: Any
) -> RecordedRequest:
    kinds, simulator_token = _credentials(request.headers)
    in_path = _MODEL_IN_PATH.match(path)
    named = body.get("model") if isinstance(body, dict) else None
    model = unquote(in_path["model"]) if in_path is not None else named
    return RecordedRequest(
        number=number,
        method=request.method,
        path=path,
        scenario=scenario,
        label=label,
        auth=kinds,
        simulator_token=simulator_token,
        model=model if isinstance(model, str) else None,
        body=body,
        body_bytes=request.body_bytes,
        headers={name: value if _keeps_value(name) else _NOT_KEPT for name, value in request.headers},
    )


def _keeps_value(name: str) -> bool:
    return name in _KEPT_VALUES or name.startswith(_KEPT_PREFIX)


def _credentials(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, ...], bool]:
    kinds: list[str] = []
    simulator_token = False
    for name, value in headers:
        if name == "authorization":
            scheme, _, secret = value.strip().partition(" ")
            kinds.append(
                ("bearer" if secret else "empty-bearer") if scheme.lower() == "bearer" else "authorization"
            )
            simulator_token |= secret.strip() in _MADE_UP
        elif name in _KEY_HEADERS:
            kinds.append(name)
            simulator_token |= value in _MADE_UP
    return tuple(kinds), simulator_token
