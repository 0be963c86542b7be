"""Errors as each API shows them: one table from oneseat's codes to a status and the API's own word for it."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from oneseat._util.json import to_json
from oneseat.contract.errors import ErrorInfo, OneseatError

Shape = Literal["openai", "anthropic", "native"]


class Kind(NamedTuple):
    """A status and the words that the two vendors have for it."""

    status: int
    openai: str
    anthropic: str


_INVALID = Kind(400, "invalid_request_error", "invalid_request_error")
_REFUSED = Kind(403, "permission_denied", "permission_error")
_PROVIDER = Kind(502, "server_error", "api_error")
#: By the beginning of the error code; the longest one that matches wins.
KINDS: dict[str, Kind] = {
    "usage": _INVALID,
    "usage.client_key": Kind(401, "invalid_api_key", "authentication_error"),
    "usage.unknown_model": Kind(404, "model_not_found", "not_found_error"),
    "usage.no_such_run": Kind(404, "not_found_error", "not_found_error"),
    "usage.no_such_page": Kind(404, "not_found_error", "not_found_error"),
    "usage.no_such_method": Kind(405, "invalid_request_error", "invalid_request_error"),
    "usage.too_large": Kind(413, "invalid_request_error", "invalid_request_error"),
    "usage.slow_client": Kind(408, "invalid_request_error", "invalid_request_error"),
    "policy": _REFUSED,
    "billing": _REFUSED,
    "budget": Kind(402, "insufficient_quota", "billing_error"),
    "limit": Kind(429, "rate_limit_exceeded", "rate_limit_error"),
    "stall": Kind(504, "timeout", "timeout_error"),
    "timeout": Kind(504, "timeout", "timeout_error"),
    "provider": _PROVIDER,
    "provider.model_not_found": Kind(404, "model_not_found", "not_found_error"),
    "provider.overloaded": Kind(529, "server_error", "overloaded_error"),
    "provider.server_stopping": Kind(503, "server_error", "overloaded_error"),
    "cancelled": Kind(503, "server_error", "overloaded_error"),
    "incomplete": _PROVIDER,
}
_BUG = Kind(500, "server_error", "api_error")


class ApiError(OneseatError):
    """Raised for a request that is answered with an error and starts no run."""


def refusal(code: str, message: str, hint: str | None = None, retry_after_s: float | None = None) -> ApiError:
    """The error of a request that is not served."""
    turn: Literal["you", "wait"] = "you" if retry_after_s is None else "wait"
    return ApiError(
        ErrorInfo(code=code, message=message, hint=hint, whose_turn=turn, retry_after_s=retry_after_s)
    )


def bug_of(error: BaseException | None = None) -> ErrorInfo:
    """The error of a request that oneseat itself could not serve, with the place where it failed."""
    place, trace = "", None if error is None else error.__traceback__
    while trace is not None:
        place = (
            f": {type(error).__name__} at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        )
        trace = trace.tb_next
    return ErrorInfo(
        code="bug.unexpected",
        message=f"The server failed on this request; the others continue{place}",
        hint="Please report it with the request you sent and `oneseat --version`",
        whose_turn="bug",
    )


def kind_of(code: str) -> Kind:
    """The status and words of an error code."""
    found = [begin for begin in KINDS if code == begin or code.startswith(f"{begin}.")]
    return KINDS[max(found, key=len)] if found else _BUG


def shape_of(path: str, headers: dict[bytes, bytes]) -> Shape:
    """Whose error a client of this path expects."""
    if path.startswith("/v1/messages") or (path.startswith("/v1/") and b"anthropic-version" in headers):
        return "anthropic"
    return "openai" if path.startswith("/v1/") else "native"


def body_of(info: ErrorInfo, shape: Shape, run_id: str | None = None) -> dict[str, Any]:
    """The error in the shape of an API, with oneseat's own words beside the API's."""
    kind, own = kind_of(info.code), {"code": info.code, "hint": info.hint, "whose_turn": info.whose_turn}
    message = info.message if info.hint is None else f"{info.message}\n{info.hint}"
    if shape == "anthropic":
        error = {"type": kind.anthropic, "message": message, "oneseat": own}
        return {"type": "error", "error": error, "request_id": run_id}
    if shape == "openai":
        return {
            "error": {
                "message": message,
                "type": kind.openai,
                "param": None,
                "code": kind.openai,
                "oneseat": own,
            }
        }
    return {"error": {**own, "message": info.message, "retry_after_s": info.retry_after_s, "oneseat": own}}


def response_of(
    info: ErrorInfo, shape: Shape, run_id: str | None = None
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of the answer to a request that failed."""
    headers = [(b"content-type", b"application/json")]
    if run_id:
        headers.append((b"oneseat-run-id", run_id.encode()))
    if info.retry_after_s is not None:
        headers.append((b"retry-after", str(math.ceil(info.retry_after_s)).encode()))
    return kind_of(info.code).status, headers, to_json(body_of(info, shape, run_id))
