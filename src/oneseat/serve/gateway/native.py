"""oneseat's own API: runs that are started, followed and cancelled, and the reports that commands print with `--json`."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.doctor import examine
from oneseat.app.gateway.requests import Target, build_request, find_target
from oneseat.app.policy import explain
from oneseat.app.runs import find_run
from oneseat.app.wiring import App, RunStream, new_run_id
from oneseat.contract.errors import UsageError
from oneseat.contract.events import Event
from oneseat.contract.gateway.clients import ApiClient
from oneseat.contract.reports.runs import ResultReport, RunReport
from oneseat.contract.request import Request

from .access import read_body
from .dialects.fields import Parameters, get, require
from .endpoint import decode
from .errors import ApiError, refusal
from .openapi import document
from .reports import REPORTS, Report

#: How many runs that are over keep their events in memory; the ledger has the stored ones of all runs.
MOST_KEPT = 100
PARAMETERS = Parameters(
    used=frozenset(("prompt", "model", "system", "schema", "timeout_s", "max_budget_usd", "max_turns")),
    hints=frozenset(),
    refused={},
)


class LiveRun:
    """A run that this server does. Stored events are numbered from 1; pieces of text come between them without a number."""

    def __init__(self, stream: RunStream, client: str) -> None:
        self.client = client
        self.stream = stream
        self._events: list[tuple[int, Event]] = []
        self._stored = 0
        self._more = asyncio.Event()
        self.task = asyncio.ensure_future(self._go())

    async def _go(self) -> None:
        try:
            async with self.stream:
                async for event in self.stream:
                    self._stored += event.durable
                    self._events.append((self._stored if event.durable else 0, event))
                    self._more.set()
        finally:
            self._more.set()

    async def follow(self, after: int) -> AsyncIterator[bytes]:
        """The events behind the stored one with the number ``after``, as they come."""
        numbers = [number for number, _ in self._events]
        place = numbers.index(after) + 1 if after and after in numbers else 0
        while True:
            while place < len(self._events):
                number, event = self._events[place]
                place += 1
                yield written(event, number)
            if self.task.done():
                return
            self._more.clear()
            await self._more.wait()


class NativeApi:
    """The endpoints below `/api/`. A client sees its own runs; what is its owner's as a whole, only a client of the owner's own."""

    def __init__(self, here: Installation, app: App, *, api_only: bool) -> None:
        self._here = here
        self._app = app
        self._api_only = api_only
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()

    async def start(self, http: HttpRequest) -> Response:
        """Start a run, and say which."""
        client = client_of(http)
        body = decode(await read_body(http.scope, http.receive))
        PARAMETERS.check(body)
        request = await asyncio.to_thread(self._request, client, body)
        run_id = new_run_id()
        self._runs[run_id] = LiveRun(self._app.stream(request, run_id=run_id), client.name)
        self._forget()
        return answer({"run_id": run_id}, 202)

    async def run(self, http: HttpRequest) -> Response:
        """One run with its events."""
        return answer(await self._report(http))

    async def events(self, http: HttpRequest) -> Response:
        """The events of a run as they come; `Last-Event-ID` goes on behind that one."""
        last = http.headers.get("last-event-id", "0")
        after = int(last) if last.isdigit() else 0
        live = self._mine(http)
        if live is not None:
            return StreamingResponse(live.follow(after), media_type="text/event-stream")
        report = await self._report(http)
        lines = [written(each.event, each.seq) for each in report.events if each.seq > after]
        return Response(b"".join(lines), media_type="text/event-stream")

    async def cancel(self, http: HttpRequest) -> Response:
        """End a run; answers when every process of it is gone."""
        live = self._mine(http)
        if live is None:
            raise _no_run(http.path_params["run"])
        live.task.cancel()
        await asyncio.wait({live.task})
        result = live.stream.result
        return answer(ResultReport.of(result) if result is not None else {})

    def routes(self) -> list[Route]:
        """Every page of this API."""
        pages = [
            Route("/api/runs", self.start, methods=["POST"]),
            Route("/api/runs/{run}", self.run, methods=["GET"]),
            Route("/api/runs/{run}/events", self.events, methods=["GET"]),
            Route("/api/runs/{run}/cancel", self.cancel, methods=["POST"]),
            Route("/api/policy/explain", self.policy, methods=["GET"]),
            Route("/api/route", self.route, methods=["GET"]),
            Route("/api/doctor", self.doctor, methods=["GET"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
        ]
        return [
            *pages,
            *(Route(f"/api/{name}", self._page(each), methods=["GET"]) for name, each in REPORTS.items()),
        ]

    def _page(self, report: Report) -> Callable[[HttpRequest], Awaitable[Response]]:
        async def page(http: HttpRequest) -> Response:
            if report.own:
                owner(http)
            return answer(await asyncio.to_thread(report.make, self._here, http.query_params))

        return page

    async def openapi(self, _: HttpRequest) -> Response:
        """This API as an OpenAPI document."""
        return answer(await asyncio.to_thread(document))

    async def doctor(self, http: HttpRequest) -> Response:
        """Which wallet would pay, and whether this machine is ready."""
        owner(http)
        return answer(await examine(self._here))

    async def route(self, http: HttpRequest) -> Response:
        """Who would serve a request of this client now."""
        return answer(await self._app.route(await self._asked(http)))

    async def policy(self, http: HttpRequest) -> Response:
        """What the policy says of a request of this client now."""
        request = await self._asked(http)
        return answer(await asyncio.to_thread(explain, self._here, request))

    async def close(self, patience_s: float) -> None:
        """Let the runs that go on finish within ``patience_s`` seconds, then end them."""
        going_on = {live.task for live in self._runs.values() if not live.task.done()}
        if going_on:
            _, going_on = await asyncio.wait(going_on, timeout=patience_s)
        for task in going_on:
            task.cancel()
        if going_on:
            await asyncio.wait(going_on)

    @property
    def going_on(self) -> int:
        """How many runs go on."""
        return sum(not live.task.done() for live in self._runs.values())

    async def _asked(self, http: HttpRequest) -> Request:
        model = http.query_params.get("model")
        body: dict[str, Any] = {"prompt": http.query_params.get("prompt") or "a request", "model": model}
        return await asyncio.to_thread(self._request, client_of(http), body)

    def _request(self, client: ApiClient, body: dict[str, Any]) -> Request:
        model = get(body, "model", str, "")
        target = find_target(self._here, client, model or "") if model or client.role else Target()
        request = build_request(
            self._here,
            client,
            target,
            require(body, "prompt", str, ""),
            system=get(body, "system", str, ""),
            vendor_api=False,
            api_only=self._api_only,
        )
        given = {
            "schema": get(body, "schema", dict, ""),
            "timeout_s": _number(body, "timeout_s"),
            "max_budget_usd": _number(body, "max_budget_usd"),
            "max_turns": get(body, "max_turns", int, ""),
        }
        return msgspec.structs.replace(
            request, **{name: value for name, value in given.items() if value is not None}
        )

    def _mine(self, http: HttpRequest) -> LiveRun | None:
        client, live = client_of(http), self._runs.get(http.path_params["run"])
        return live if live is not None and (live.client == client.name or client.is_owners) else None

    async def _report(self, http: HttpRequest) -> RunReport:
        name = http.path_params["run"]
        live = self._runs.get(name)
        if not client_of(http).is_owners and self._mine(http) is None:
            # The ledger is its owner's; a client of somebody else sees what it has started here.
            raise _no_run(name)
        try:
            return await asyncio.to_thread(find_run, self._here, name)
        except UsageError:
            if live is None:
                raise
            raise _no_run(name) from None

    def _forget(self) -> None:
        over = [name for name, live in self._runs.items() if live.task.done()]
        for name in over[: max(0, len(over) - MOST_KEPT)]:
            del self._runs[name]


def client_of(http: HttpRequest) -> ApiClient:
    """Who asks."""
    client: ApiClient = http.scope["state"]["client"]
    return client


def owner(http: HttpRequest) -> None:
    """Raises ``ApiError`` for a client that its owner did not declare their own."""
    if not client_of(http).is_owners:
        raise refusal(
            "policy.owner_only",
            "Only a client of the owner's own may read this",
            "Declare it: `oneseat clients add NAME --author me --reader me`",
        )


def answer(report: Any, status: int = 200) -> Response:
    """A report as the commands print it."""
    return Response(to_json(report), status, media_type="application/json")


def written(event: Any, number: int) -> bytes:
    """One event of a run as a server-sent one; only stored ones have a number to go on from."""
    head = f"id: {number}\n".encode() if number else b""
    return head + b"data: " + to_json(event) + b"\n\n"


def _number(body: dict[str, Any], name: str) -> float | None:
    value = body.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    if value is None:
        return None
    raise refusal("usage.bad_request", f"Invalid request at `{name}`: it must be a number above 0")


def _no_run(name: str) -> ApiError:
    return refusal("usage.no_such_run", f"No such run: `{name}`")
