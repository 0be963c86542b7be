"""The outcome of a finished run: complete only if proven, otherwise an error with a code."""

from __future__ import annotations

from typing import Any

from oneseat.contract.errors import ErrorInfo, exit_code
from oneseat.contract.events import Started
from oneseat.contract.receipt import Status
from oneseat.contract.request import Request

from .totals import RunTotals


def judge(totals: RunTotals, run_id: str) -> ErrorInfo | None:
    """The error of a run that ended by itself; ``None`` when its answer is complete."""
    ended = totals.ended
    if ended is None:
        return ErrorInfo(
            code="provider.no_result",
            message="The provider stopped without reporting a result",
            hint=f"Read what it said: `oneseat show {run_id} --events`",
            whose_turn="provider",
        )
    if ended.error is not None:
        return ended.error
    if totals.open_tools:
        names = ", ".join(sorted(set(totals.open_tools.values())))
        return _incomplete(run_id, "tools_open", f"The turn ended while tools were still running: {names}")
    if ended.unfinished:
        names = ", ".join(sorted(set(ended.unfinished)))
        return _incomplete(
            run_id, "background_work", f"The turn ended while background work was still running: {names}"
        )
    if not ended.text.strip() and ended.structured is None:
        return _incomplete(run_id, "empty", "The provider reported success but gave no text")
    return None


def judge_start(request: Request, started: Started) -> ErrorInfo | None:
    """Why a turn that has just started cannot succeed: a requested tool or MCP server is missing.

    An MCP server that was not requested is refused too: neither the caller nor the owner chose its tools.
    """
    states = dict(server.rsplit(":", 1) for server in started.mcp_servers if ":" in server)
    absent = [name for name in request.expected_servers if states.get(name) != "connected"]
    if absent:
        shown = ", ".join(f"{name}: {states.get(name, 'not started')}" for name in absent)
        return ErrorInfo(
            code="incomplete.servers_missing",
            message=f"MCP server `{', '.join(absent)}` failed to start\n  {shown}",
        )
    unrequested = [name for name in states if name not in request.expected_servers]
    if unrequested:
        return ErrorInfo(
            code="incomplete.strange_server",
            message=f"The official CLI started an MCP server that the run did not ask for: `{', '.join(unrequested)}`",
            hint="See which servers are configured: `claude mcp list`",
        )
    missing = request.tools.missing(started.tools)
    if not missing:
        return None
    present = ", ".join(started.tools) or "none"
    return ErrorInfo(
        code="incomplete.tools_missing",
        message=f"The official CLI does not have a tool that the run needs: {', '.join(missing)}\n  it has {present}",
        hint="Check the names: `oneseat run --help`",
    )


def schema_unmet(found: list[str]) -> ErrorInfo:
    """The error of an answer that does not match its schema after all attempts."""
    complaints = "\n  ".join(found)
    return ErrorInfo(
        code="incomplete.schema_unmet",
        message=f"The answer does not match the schema\n  {complaints}",
        hint="The last answer is kept in `structured` and `text`",
    )


def answer(totals: RunTotals) -> tuple[str, Any]:
    """The text and structure received, complete or not."""
    ended = totals.ended
    if ended is None:
        return totals.partial_text(), None
    # When an answer never matches its schema, the provider's final event does not contain it.
    unmet = ended.structured is None and ended.error is not None
    return ended.text or totals.partial_text(), totals.structure if unmet else ended.structured


def status_of(error: ErrorInfo | None) -> Status:
    """The status for an error. ``refused`` means that nothing was sent."""
    if error is None:
        return "completed"
    if error.code == "cancelled":
        return "cancelled"
    return "refused" if exit_code(error.code) == 3 or error.code == "limit.paused" else "failed"


def _incomplete(run_id: str, word: str, message: str) -> ErrorInfo:
    hint = f"Run it again; if it fails again, look at its events: `oneseat show {run_id} --events`"
    return ErrorInfo(code=f"incomplete.{word}", message=message, hint=hint, whose_turn="provider")
