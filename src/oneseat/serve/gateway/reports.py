"""The reports that commands print with `--json`, below `/api/`: each is a use-case and the type that it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from oneseat.app import Installation
from oneseat.app.advice import read_advice
from oneseat.app.gateway.clients import list_clients
from oneseat.app.limits import read_limits
from oneseat.app.runs import find_runs
from oneseat.app.server import server_status
from oneseat.app.sessions import find_sessions
from oneseat.app.usage import VIEWS, read_usage, usage_report
from oneseat.contract.gateway.clients import ClientList
from oneseat.contract.history import RunFilter
from oneseat.contract.protocol import StatusReport
from oneseat.contract.reports.advice import Advice
from oneseat.contract.reports.limits import LimitsReport
from oneseat.contract.reports.runs import RunList, SessionList
from oneseat.contract.reports.usage import UsageReport

from .errors import refusal

Query = Mapping[str, str]
_MOST = 10_000


class Report(NamedTuple):
    """One report. ``own`` ones are for clients of the owner's own only; ``query`` names what may be asked."""

    summary: str
    kind: type
    make: Callable[[Installation, Query], Any]
    own: bool = True
    query: tuple[str, ...] = ()


def _runs(here: Installation, query: Query) -> RunList:
    return find_runs(here, RunFilter(limit=_whole(query, "limit", 50)))


def _usage(here: Installation, query: Query) -> UsageReport:
    view = query.get("view", "daily")
    if view not in VIEWS:
        raise refusal("usage.bad_request", f"Invalid request at `view`: it must be one of {', '.join(VIEWS)}")
    return usage_report(read_usage(here, view))


def _advice(here: Installation, query: Query) -> Advice:
    last = (datetime.now().astimezone().date() - date(1970, 1, 1)).days
    return read_advice(here, last - _whole(query, "days", 30) + 1, last)


REPORTS = {
    "advice": Report("What the work costs by key and on each plan", Advice, _advice, query=("days",)),
    "clients": Report("The clients of this server", ClientList, lambda here, _: list_clients(here)),
    "limits": Report(
        "How full usage windows and budgets are", LimitsReport, lambda here, _: read_limits(here), own=False
    ),
    "runs": Report("The last runs", RunList, _runs, query=("limit",)),
    "sessions": Report("The conversations of projects", SessionList, lambda here, _: find_sessions(here)),
    "status": Report("The server and its runs", StatusReport, lambda here, _: server_status(here)),
    "usage": Report("What was used", UsageReport, _usage, query=("view",)),
}


def _whole(query: Query, name: str, otherwise: int) -> int:
    text = query.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= _MOST):
        raise refusal("usage.bad_request", f"Invalid request at `{name}`: it must be a number up to {_MOST}")
    return int(text)
