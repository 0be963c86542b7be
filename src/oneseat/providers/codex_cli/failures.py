"""Classifies the CLI's errors: by their kind (`codexErrorInfo`), and by words of the message only if that is `other`.

Kinds, statuses and messages were measured on codex 0.169.0 or come from the schema that this version generates.
"""

from __future__ import annotations

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.providers import WINDOWS
from oneseat.providers import failures
from oneseat.providers.failures import Failure

from . import wire
from .limits import is_full, window_name, windows

_AUTH = failures.LOGIN_REJECTED._replace(hint="Sign in again: `codex login`, then `oneseat doctor`")
_BY_WORD: dict[str, Failure] = {
    "contextWindowExceeded": failures.CONTEXT_OVERFLOW,
    "rateLimitExceeded": failures.RATE_LIMITED,
    "serverOverloaded": failures.OVERLOADED,
    "flexUnavailable": failures.OVERLOADED,
    "policyCapacityUnavailable": failures.OVERLOADED,
    "modelNotFound": failures.MODEL_NOT_FOUND,
    "internalServerError": failures.SERVER_ERROR,
    "unauthorized": _AUTH,
    "badRequest": failures.BAD_REQUEST,
    "cyberPolicy": failures.REFUSED,
    "misalignmentPolicyViolation": failures.REFUSED,
    "inferenceHookDenied": failures.REFUSED,
    "tooManyDenials": failures.EXECUTION_ERROR,
    "sandboxError": failures.EXECUTION_ERROR,
    "sessionBudgetExceeded": failures.CREDIT_EXHAUSTED,
}
_BY_STATUS: dict[int, Failure] = {
    400: failures.BAD_REQUEST,
    401: _AUTH,
    403: _AUTH,
    404: failures.MODEL_NOT_FOUND,
    413: failures.REQUEST_TOO_LARGE,
    429: failures.RATE_LIMITED,
    503: failures.OVERLOADED,
}
_HIGH_DEMAND = "high demand"
#: By words of the message, for errors without a specific kind.
_BY_TEXT: dict[str, Failure] = {
    # Before the words that such a message begins with.
    "invalid peer certificate": failures.UNTRUSTED,
    "certificate verify failed": failures.UNTRUSTED,
    "refresh token": _AUTH,
    "refresh your access token": _AUTH,
    "reason: max_output_tokens": failures.MAX_TOKENS,
    "reason: content_filter": failures.REFUSED,
    "stream disconnected": failures.CONNECTION_LOST,
    "stream closed": failures.CONNECTION_LOST,
    "error sending request": failures.UNREACHABLE,
    "Connection failed": failures.UNREACHABLE,
    "Connection refused": failures.UNREACHABLE,
    _HIGH_DEMAND: failures.SERVER_ERROR,
    "exceeded retry limit, last status: 429": failures.RATE_LIMITED,
    "at capacity": failures.OVERLOADED,
    "Quota exceeded": failures.CREDIT_EXHAUSTED,
    "usage limit": failures.RATE_LIMITED,
    "ran out of room": failures.CONTEXT_OVERFLOW,
    "does not exist": failures.MODEL_NOT_FOUND,
    "unexpected status 401": _AUTH,
    "unexpected status 403": _AUTH,
    "unexpected status 413": failures.REQUEST_TOO_LARGE,
    "unexpected status 5": failures.SERVER_ERROR,
}
#: By the CLI's kind, if neither the status nor the message is more specific.
_BY_KIND = {
    "httpConnectionFailed": failures.UNREACHABLE,
    "responseStreamConnectionFailed": failures.UNREACHABLE,
    "responseStreamDisconnected": failures.CONNECTION_LOST,
}
_SERVER_STATUS = 500
_NEVER_PASSES = frozenset({400, 401, 403, 404, 413})
#: How often the CLI may retry a request by itself.
_OWN_RETRIES = 2


def classify(turn: wire.Turn, limits: wire.RateLimits | None, now: float) -> ErrorInfo | None:
    """The failure that the end of a turn means, ``None`` when the CLI reports none. ``now`` is seconds since the epoch."""
    if turn.status == "interrupted":
        return failures.INTERRUPTED.info()
    if turn.status == "completed" and turn.error is None:
        return None
    error = turn.error or wire.TurnError(message=f"the turn ended as `{turn.status}`")
    if word_of(error.codex_error_info)[0] == "usageLimitExceeded" or "usage limit" in error.message:
        return _limit(error, limits, now)
    return _find(error).info(_said_by_vendor(error.message) or error.message)


def is_final(error: wire.TurnError, attempt: int) -> bool:
    """Whether to stop the CLI's own retries, because they are pointless or enough: oneseat may retry the whole run.

    By default the CLI sends a request six times, and thirty times on server errors. For a rejected login, model or size one
    attempt is enough; for transient errors three are.
    """
    _, status = word_of(error.codex_error_info)
    # The CLI's message after five requests to a failing server; it has no status then.
    tried = _HIGH_DEMAND in (error.additional_details or error.message)
    return attempt > _OWN_RETRIES or tried or status in _NEVER_PASSES


def refused_request(error: wire.RpcError) -> ErrorInfo:
    """The failure that a rejected request means."""
    if "no rollout found" in error.message or "invalid session id" in error.message:
        return failures.SESSION_LOST.info()
    found = next(
        (found for words, found in _BY_TEXT.items() if words in error.message), failures.EXECUTION_ERROR
    )
    return found.info(error.message)


def word_of(info: object) -> tuple[str | None, int | None]:
    """The CLI's kind of an error, and its HTTP status, if any."""
    if isinstance(info, str):
        return info, None
    if isinstance(info, dict) and len(info) == 1:
        word, fields = next(iter(info.items()))
        status = fields.get("httpStatusCode") if isinstance(fields, dict) else None
        return str(word), status if isinstance(status, int) else None
    return None, None


def _find(error: wire.TurnError) -> Failure:
    word, status = word_of(error.codex_error_info)
    if word in _BY_WORD:
        return _BY_WORD[word]
    if status is not None:
        return _BY_STATUS.get(
            status, failures.SERVER_ERROR if status >= _SERVER_STATUS else failures.BAD_REQUEST
        )
    return _by_text(error.message) or _BY_KIND.get(word or "", failures.API_ERROR)


def _by_text(message: str) -> Failure | None:
    if _said_by_vendor(message) is not None:
        return failures.BAD_REQUEST
    return next((found for words, found in _BY_TEXT.items() if words in message), None)


def _said_by_vendor(message: str) -> str | None:
    """The vendor's message, if the CLI passes on the vendor's whole answer to an invalid request; else ``None``."""
    if not message.startswith("{"):
        return None
    try:
        body = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError):
        return None
    error = body.get("error") if isinstance(body, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    return said if isinstance(said, str) else None


def _limit(error: wire.TurnError, limits: wire.RateLimits | None, now: float) -> ErrorInfo:
    if "Quota exceeded" in error.message:
        # The same kind as for a full window, but an account without credit does not recover by waiting.
        return failures.CREDIT_EXHAUSTED.info(error.message)
    full = [window for window in (windows(limits) if limits is not None else ()) if is_full(window)]
    # If two windows are full, the one that resets last decides.
    window = max(full, key=lambda one: one.resets_at or 0.0, default=None)
    name = window_name(window) if window is not None else "unknown"
    wait = (
        max(0.0, round(window.resets_at - now, 1))
        if window is not None and window.resets_at is not None
        else None
    )
    known = name in WINDOWS and WINDOWS[name].usual
    label = WINDOWS[name].label if known else "usage"
    found = Failure(
        f"limit.{name}" if known else "limit.window_full", f"The {label} window of the plan is full", "wait"
    )
    return msgspec.structs.replace(found.info(error.message), retry_after_s=wait)
