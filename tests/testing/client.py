"""A plain HTTP client for the simulator: the standard library, nothing of ours."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

TOKEN = "made-up"


class Reply(NamedTuple):
    """What came back. ``body`` is everything that arrived before ``broken``, the error that ended it, if any."""

    status: int
    headers: dict[str, str]
    body: bytes
    broken: str | None = None

    def json(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded

    def events(self) -> list[dict[str, Any]]:
        """The events of a stream, each checked against its own name."""
        events = []
        for block in self.body.decode().split("\n\n")[:-1]:
            name, data = block.split("\n")
            event = json.loads(data.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            events.append(event)
        return events

    def text(self) -> str:
        """The text of a stream, its deltas joined."""
        deltas = [event["delta"] for event in self.events() if event["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in deltas)


def message(text: str = "say ok", **fields: Any) -> dict[str, Any]:
    """The body of a Messages request."""
    asked = {"model": "claude-made-up", "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    return asked | fields


def connect(url: str, timeout: float = 10.0) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)


def send(
    connection: http.client.HTTPConnection,
    method: str,
    url: str,
    body: object = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """One request on an open connection, and everything that came of it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    parts = urlsplit(url)
    connection.request(
        method, parts.path + (f"?{parts.query}" if parts.query else ""), data,
        headers if headers is not None else {"authorization": f"Bearer {TOKEN}"},
    )  # fmt: skip
    response = connection.getresponse()
    arrived, broken = b"", None
    try:
        while piece := response.read1():
            arrived += piece
        response.close()
    except (http.client.IncompleteRead, OSError) as error:
        broken = type(error).__name__
    names = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, names, arrived, broken)


def ask(url: str, *, stream: bool = True, timeout: float = 10.0, **fields: Any) -> Reply:
    """Ask the model once, on a connection of its own. Raises ``OSError`` when nothing comes back at all."""
    connection = connect(url, timeout)
    try:
        return send(connection, "POST", f"{url}/v1/messages?beta=true", message(stream=stream, **fields))
    finally:
        connection.close()


def fetch(method: str, url: str, body: object = None, headers: dict[str, str] | None = None) -> Reply:
    """Any other request, on a connection of its own."""
    connection = connect(url)
    try:
        return send(connection, method, url, body, headers)
    finally:
        connection.close()
