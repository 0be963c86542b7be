"""The Responses API as used with a ChatGPT plan: usage window headers, and the official `codex` CLI's other requests.

The formats are those that codex 0.169.0 accepts; no real answer of the vendor was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from oneseat.testing.replies import FIVE_HOUR, SEVEN_DAY, Answer, Failure, Limits, ToolUse, WindowShare

from . import openai_errors, responses
from .common import Ask, Part

PING = responses.PING
PLAN = "plus"
parse = responses.parse
whole = responses.whole
#: The length of a window in minutes, and its name in the headers.
_WINDOWS = {"five_hour": (300, "primary"), "seven_day": (10080, "secondary")}
_SHELL = "Bash"
_MCP = "mcp__"


def parts(answer: Answer, ask: Ask, message_id: str) -> Iterator[Part]:
    """The answer as the events of a stream, in order. Tool calls use the CLI's own tool names."""
    content = tuple(
        ToolUse("exec_command", {"cmd": block.input.get("command", "")})
        if isinstance(block, ToolUse) and block.name == _SHELL
        else block
        for block in answer.content
    )
    for part in responses.parts(msgspec.structs.replace(answer, content=content), ask, message_id):
        event = part.event
        if answer.stop_reason == "refusal" and event is not None and event["type"] == "response.completed":
            # The CLI drops the text of a refusal; it reports only that the answer was stopped.
            end = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
            event = {**event, "type": "response.incomplete", "response": {**event["response"], **end}}
        if event is not None and str(event.get("item", {}).get("name", "")).startswith(_MCP):
            server, _, tool = event["item"]["name"].rpartition("__")
            event = {**event, "item": {**event["item"], "namespace": server, "name": tool}}
        yield msgspec.structs.replace(part, event=event)


def broken() -> Part:
    """An error that arrives after the stream has begun."""
    error = {"code": "server_is_overloaded", "message": "Our servers are currently overloaded."}
    response = {"id": "resp_broken", "object": "response", "status": "failed", "error": error}
    return Part({"type": "response.failed", "response": response})


def failure(failure: Failure, request_id: str) -> tuple[int, dict[str, Any]]:
    """The status and the body of an error; a full window has an error type of its own."""
    if failure.limits is None or failure.limits.status != "rejected":
        return openai_errors.failure(failure, request_id)
    error = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": PLAN,
        "resets_in_seconds": failure.limits.resets_in_s,
    }
    return 429, {"error": error}


def limit_headers(limits: Limits, started_at: float) -> list[tuple[str, str]]:
    """The usage window headers. ``started_at`` is in seconds since 1970."""
    headers = [
        ("x-codex-plan-type", PLAN),
        ("x-codex-credits-has-credits", str(limits.overage_in_use).lower()),
        ("x-codex-credits-unlimited", "false"),
    ]
    for share in limits.shares:
        minutes, name = _WINDOWS[share.window]
        headers += [
            (f"x-codex-{name}-used-percent", f"{share.used * 100:g}"),
            (f"x-codex-{name}-window-minutes", str(minutes)),
            (f"x-codex-{name}-reset-at", str(_resets_at(share, started_at))),
        ]
    return headers


def usage(limits: Limits, started_at: float) -> dict[str, Any]:
    """The plan's account as `wham/usage` returns it."""
    shares = {share.window: share for share in limits.shares}
    five_hour, seven_day = shares.get("five_hour", FIVE_HOUR), shares.get("seven_day", SEVEN_DAY)
    return {
        "plan_type": PLAN,
        "rate_limit": {
            "allowed": True,
            "limit_reached": any(share.used >= 1 for share in shares.values()),
            "primary_window": _window(five_hour, started_at),
            "secondary_window": _window(seven_day, started_at),
        },
        "credits": {"has_credits": limits.overage_in_use, "unlimited": False, "balance": None},
    }


def _window(share: WindowShare, started_at: float) -> dict[str, Any]:
    return {
        "used_percent": round(share.used * 100),
        "limit_window_seconds": _WINDOWS[share.window][0] * 60,
        "reset_after_seconds": share.resets_in_s,
        "reset_at": _resets_at(share, started_at),
    }


def _resets_at(share: WindowShare, started_at: float) -> int:
    return round(started_at) + share.resets_in_s
