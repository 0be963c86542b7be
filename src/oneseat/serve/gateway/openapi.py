"""The OpenAPI 3.1 document of oneseat's own API, made of the types that it answers with."""

from __future__ import annotations

from typing import Any

import msgspec

from oneseat.contract.reports.doctor import Report as DoctorReport
from oneseat.contract.reports.policy import PolicyExplanation
from oneseat.contract.reports.runs import ResultReport, RunReport
from oneseat.contract.routing import RouteReport
from oneseat.version import __version__

from .reports import REPORTS


class RunStart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run to start. Times are in seconds, money is US dollars at list price."""

    prompt: str
    model: str | None = None
    system: str | None = None
    schema: dict[str, Any] | None = None
    timeout_s: float | None = None
    max_budget_usd: float | None = None
    max_turns: int | None = None


class RunStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The run that was started."""

    run_id: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What failed."""

    error: dict[str, Any]


_RUN = ({"name": "run", "in": "path", "required": True, "schema": {"type": "string"}},)
#: Path, method, summary, type of the answer, type of the body, status, parameters.
_PAGES: tuple[tuple[str, str, str, type, type | None, int, tuple[dict[str, Any], ...]], ...] = (
    ("/api/runs", "post", "Start a run", RunStarted, RunStart, 202, ()),
    ("/api/runs/{run}", "get", "One run with its events", RunReport, None, 200, _RUN),
    ("/api/runs/{run}/cancel", "post", "End a run", ResultReport, None, 200, _RUN),
    ("/api/policy/explain", "get", "What the policy says of a request", PolicyExplanation, None, 200, ()),
    ("/api/route", "get", "Who would serve a request", RouteReport, None, 200, ()),
    (
        "/api/doctor",
        "get",
        "Which wallet would pay, and whether this machine is ready",
        DoctorReport,
        None,
        200,
        (),
    ),
)


def document() -> dict[str, Any]:
    """The whole document."""
    reports = [
        (f"/api/{name}", "get", each.summary, each.kind, None, 200, tuple(map(_asked, each.query)))
        for name, each in REPORTS.items()
    ]
    pages = [*_PAGES, *reports]
    kinds = list(
        dict.fromkeys([Failure, *(kind for page in pages for kind in page[3:5] if kind is not None)])
    )
    shown, parts = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(kinds, shown, strict=True))
    paths: dict[str, Any] = {}
    for path, method, summary, kind, body, status, parameters in pages:
        paths.setdefault(path, {})[method] = {
            "summary": summary,
            "parameters": list(parameters),
            **({} if body is None else {"requestBody": {"required": True, "content": _json(schemas[body])}}),
            "responses": {
                str(status): {"description": summary, "content": _json(schemas[kind])},
                "default": {"description": "What failed", "content": _json(schemas[Failure])},
            },
        }
    paths["/api/runs/{run}/events"] = {"get": _events()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "oneseat", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": parts,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _events() -> dict[str, Any]:
    last = {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}
    streamed = {"text/event-stream": {"schema": {"type": "string"}}}
    return {
        "summary": "The events of a run as they come, and on from `Last-Event-ID`",
        "parameters": [*_RUN, last],
        "responses": {"200": {"description": "Events, one JSON object each", "content": streamed}},
    }


def _asked(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
