"""Errors in the format of OpenAI's two APIs."""

from __future__ import annotations

from typing import Any

from oneseat.testing.replies import Failure

_TOO_LONG = "Your input exceeds the context window of this model. Please adjust your input and try again."
_NO_CREDIT = "You exceeded your current quota, please check your plan and billing details."
#: The kind of a failure to the status, type and code of the error.
_ERRORS: dict[str, tuple[int | None, str, str | None]] = {
    "authentication_error": (401, "invalid_request_error", "invalid_api_key"),
    "permission_error": (403, "invalid_request_error", "insufficient_permissions"),
    "not_found_error": (404, "invalid_request_error", "model_not_found"),
    "rate_limit_error": (429, "requests", "rate_limit_exceeded"),
    "overloaded_error": (503, "server_error", "server_is_overloaded"),
    "api_error": (None, "server_error", None),
}


def failure(failure: Failure, request_id: str) -> tuple[int, dict[str, Any]]:  # noqa: ARG001 - sent as a header
    """The status and the body of an error."""
    if failure.about == "credit":
        return 429, _body(_NO_CREDIT, "insufficient_quota", "insufficient_quota")
    if failure.about == "context":
        return 400, _body(_TOO_LONG, "invalid_request_error", "context_length_exceeded")
    status, kind, code = _ERRORS.get(failure.kind, (None, "invalid_request_error", None))
    return status or failure.status, _body(failure.message, kind, code)


def _body(message: str, kind: str, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
