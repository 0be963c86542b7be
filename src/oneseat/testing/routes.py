"""Routes a request to its scenario: records it and sends the reply."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import h11
import msgspec

from .dialects import Dialect, codex, dialect_of, messages
from .dialects.common import BadRequestError, settle
from .http import MAX_BODY_BYTES, Connection, HttpRequest
from .playback import Playback
from .recorder import Recorder
from .replies import Answer, ByPayer, Failure, Limits, Reply
from .scenarios import UnknownScenarioError, replies_for

#: Path segments after a scenario that start an API's own path rather than a label.
_NO_LABEL = r"(?!v1(?:alpha|beta)?/|chat/|backend-api/|codex/v1/|oauth/|responses$)"
_URL = re.compile(rf"/s/(?P<scenario>[^/]+)(?:/(?P<label>{_NO_LABEL}[^/]+))?(?P<path>/.*)?")
CONTROL_PATH = "/_simulator/requests"
_JSON = ("content-type", "application/json")
_NOT_FOUND = Failure(status=404, kind="not_found_error", message="Not found")
_TOO_LARGE = Failure(status=413, kind="request_too_large", message="Request exceeds the maximum size")


class Address(msgspec.Struct, frozen=True):
    """The parts of a simulator URL: the scenario, the label, and the API's own path."""

    scenario: str
    label: str | None
    path: str


def address(target: str) -> Address:
    """Parse a request target. Without the prefix ``/s/SCENARIO``, the scenario is ``ok``."""
    path = urlsplit(target).path
    match = _URL.fullmatch(path)
    if match is None:
        return Address("ok", None, path or "/")
    label = match["label"]
    return Address(unquote(match["scenario"]), unquote(label) if label else None, match["path"] or "/")


class Service:
    """Answers the requests of one simulator, on any number of connections."""

    def __init__(self, recorder: Recorder, scripts: dict[str, tuple[Reply, ...]]) -> None:
        self._recorder = recorder
        self._scripts = scripts
        self._started_at = time.time()

    async def converse(self, connection: Connection) -> None:
        """Answer the requests of one connection until either side closes it. Raises ``ClientGoneError``."""
        try:
            while (request := await connection.receive()) is not None:
                await self._handle(connection, request)
                if not connection.reusable:
                    break
        except h11.RemoteProtocolError as error:
            await connection.refuse(error.error_status_hint, str(error))

    async def _handle(self, connection: Connection, request: HttpRequest) -> None:
        if urlsplit(request.target).path == CONTROL_PATH:
            await self._control(connection, request)
            return
        where = address(request.target)
        nth, record = self._recorder.add(
            request,
            path=where.path,
            scenario=where.scenario,
            label=where.label,
            body=_json_or_none(request.body),
        )
        api = dialect_of(request.method, where.path)
        playback = Playback(connection, api or messages, f"req_{record.number:06d}", self._started_at)
        if api is not None:
            await self._message(playback, api, request, where, nth, on_plan=record.on_plan)
        elif (request.method, where.path) == ("POST", "/v1/messages/count_tokens"):
            await connection.respond(200, [_JSON], msgspec.json.encode(messages.count_tokens(request.body)))
        elif request.method in {"GET", "HEAD"} and where.path == "/":
            await connection.respond(
                200, [_JSON], b"" if request.method == "HEAD" else b'{"service":"oneseat simulator"}'
            )
        elif (request.method, where.path) == ("GET", "/backend-api/wham/usage"):
            body = codex.usage(self._limits(where, nth), self._started_at)
            await connection.respond(200, [_JSON], msgspec.json.encode(body))
        elif (request.method, where.path) == ("POST", "/oauth/token"):
            # The CLI tries to renew a rejected login; the simulated one cannot be renewed.
            await connection.respond(401, [_JSON], b'{"error":{"code":"refresh_token_expired"}}')
        elif where.path == "/codex/v1/responses":
            # The official `codex` CLI first asks for a web socket; when refused, it continues without one.
            await connection.respond(426, [_JSON], b"{}")
        else:
            await playback.fail(_NOT_FOUND)

    def _limits(self, where: Address, nth: int) -> Limits:
        """The usage windows that the next answer of a scenario will report."""
        with contextlib.suppress(UnknownScenarioError):
            replies = replies_for(where.scenario, self._scripts)
            reply = replies[min(nth, len(replies) - 1)]
            if isinstance(reply, Answer | Failure) and reply.limits is not None:
                return reply.limits
        return Limits()

    async def _control(self, connection: Connection, request: HttpRequest) -> None:
        if request.method == "DELETE":
            self._recorder.clear()
        label = parse_qs(urlsplit(request.target).query).get("label", [None])[0]
        await connection.respond(200, [_JSON], msgspec.json.encode({"requests": self._recorder.all(label)}))

    async def _message(
        self,
        playback: Playback,
        api: Dialect,
        request: HttpRequest,
        where: Address,
        nth: int,
        *,
        on_plan: bool,
    ) -> None:
        if request.body_bytes > MAX_BODY_BYTES:
            await playback.fail(_TOO_LARGE)
            return
        try:
            replies = replies_for(where.scenario, self._scripts)
            ask = api.parse(request.body, where.path)
        except (UnknownScenarioError, BadRequestError) as error:
            await playback.fail(Failure(status=400, kind="invalid_request_error", message=str(error)))
            return
        reply = replies[min(nth, len(replies) - 1)]
        if isinstance(reply, ByPayer):
            reply = reply.plan if on_plan else reply.key
        reply = settle(reply, ask)
        await playback.play(reply, ask, _message_id(where, nth))


def _message_id(where: Address, nth: int) -> str:
    names = [name for name in (where.scenario, where.label) if name]
    return "msg_" + "_".join(re.sub(r"\W", "_", name) for name in (*names, f"{nth + 1:04d}"))


def _json_or_none(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body) if body else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
