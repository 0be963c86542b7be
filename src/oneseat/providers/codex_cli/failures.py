"""What an error of the CLI means. Its own word decides (`codexErrorInfo`); words of a message only where that says `other`.

Words, statuses and messages as measured on codex 0.169.0, or named by the schema that version prints of itself.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from oneseat.contract.errors import ErrorInfo, WhoseTurn

from . import wire
from .limits import is_full, window_name, windows


class _Failure(NamedTuple):
    code: str
    what: str
    whose_turn: WhoseTurn = "provider"
    hint: str | None = None


#: How much of the CLI's own words a message carries.
_DETAIL_CHARS = 500
_SIGN_IN = "Sign in again: `codex login`, then `oneseat doctor`"
_AGAIN = "Try again in a minute"

_AUTH = _Failure("provider.auth_rejected", "The provider rejected the login", "you", _SIGN_IN)
_OVERLOADED = _Failure("provider.overloaded", "The provider is overloaded", "wait", _AGAIN)
_SERVER = _Failure("provider.server_error", "The provider failed", "wait", _AGAIN)
_BAD_REQUEST = _Failure("provider.bad_request", "The provider did not accept the request", "you")
_NO_MODEL = _Failure(
    "provider.model_not_found",
    "The provider does not know the model, or the login may not use it",
    "you",
    "Choose another model with `--model`, or leave it out",
)
_TOO_LARGE = _Failure(
    "provider.request_too_large", "The request is too large for the provider", "you", "Send less text"
)
_RATE = _Failure(
    "limit.rate_limited",
    "The provider is limiting requests for a moment",
    "wait",
    "Wait a minute and run it again",
)
_UNREACHABLE = _Failure(
    "provider.unreachable",
    "The provider could not be reached",
    "wait",
    "Check the network, then run it again",
)
_LOST = _Failure("provider.connection_lost", "The connection to the provider broke", "wait", _AGAIN)
_REFUSED = _Failure(
    "incomplete.refused",
    "The provider refused to answer",
    "you",
    "Say it differently, or choose another model",
)
_EXECUTION = _Failure("provider.execution_error", "The CLI reported an error")

_QUOTA = _Failure("provider.credit_exhausted", "The provider wants payment for this request", "you")

_BY_WORD: dict[str, _Failure] = {
    "contextWindowExceeded": _Failure(
        "provider.context_overflow",
        "The prompt does not fit the model's context",
        "you",
        "Send less text, or split it over several runs",
    ),
    "rateLimitExceeded": _RATE,
    "serverOverloaded": _OVERLOADED,
    "flexUnavailable": _OVERLOADED,
    "policyCapacityUnavailable": _OVERLOADED,
    "modelNotFound": _NO_MODEL,
    "internalServerError": _SERVER,
    "unauthorized": _AUTH,
    "badRequest": _BAD_REQUEST,
    "cyberPolicy": _REFUSED,
    "misalignmentPolicyViolation": _REFUSED,
    "inferenceHookDenied": _REFUSED,
    "tooManyDenials": _EXECUTION,
    "sandboxError": _EXECUTION,
    "sessionBudgetExceeded": _QUOTA,
}
_BY_STATUS: dict[int, _Failure] = {
    400: _BAD_REQUEST,
    401: _AUTH,
    403: _AUTH,
    404: _NO_MODEL,
    413: _TOO_LARGE,
    429: _RATE,
    503: _OVERLOADED,
}
_HIGH_DEMAND = "high demand"
#: By words of a message, where the CLI itself has none for it.
_BY_TEXT: dict[str, _Failure] = {
    "refresh token": _AUTH,
    "refresh your access token": _AUTH,
    "reason: max_output_tokens": _Failure(
        "incomplete.max_tokens",
        "The answer was cut at the model's output limit",
        "you",
        "Ask for less in one answer",
    ),
    "reason: content_filter": _REFUSED,
    "stream disconnected": _LOST,
    "stream closed": _LOST,
    "error sending request": _UNREACHABLE,
    "Connection failed": _UNREACHABLE,
    "Connection refused": _UNREACHABLE,
    _HIGH_DEMAND: _SERVER,
    "exceeded retry limit, last status: 429": _RATE,
    "at capacity": _OVERLOADED,
    "Quota exceeded": _QUOTA,
    "usage limit": _RATE,
    "ran out of room": _BY_WORD["contextWindowExceeded"],
    "does not exist": _NO_MODEL,
    "unexpected status 401": _AUTH,
    "unexpected status 403": _AUTH,
    "unexpected status 413": _TOO_LARGE,
    "unexpected status 5": _SERVER,
}
#: By the CLI's own word, where neither a status nor the message says more.
_BY_KIND = {
    "httpConnectionFailed": _UNREACHABLE,
    "responseStreamConnectionFailed": _UNREACHABLE,
    "responseStreamDisconnected": _LOST,
}
_UNKNOWN = _Failure("provider.api_error", "The provider reported an error")
_INTERRUPTED = _Failure("provider.interrupted", "The turn was interrupted", "you")
SESSION_LOST = _Failure(
    "provider.session_lost",
    "The official CLI does not have the session any more",
    "you",
    "Begin a new one: `oneseat run --new-session ...`",
)
_WINDOWS = {"five_hour": "five-hour", "seven_day": "weekly"}
_SERVER_STATUS = 500
_NEVER_PASSES = frozenset({400, 401, 403, 404, 413})
#: How often the CLI may repeat a request by itself.
_OWN_RETRIES = 2


def classify(turn: wire.Turn, limits: wire.RateLimits | None, now: float) -> ErrorInfo | None:
    """The failure that the end of a turn means, ``None`` when the CLI reports none. ``now`` is seconds since the epoch."""
    if turn.status == "interrupted":
        return _info(_INTERRUPTED, "")
    if turn.status == "completed" and turn.error is None:
        return None
    error = turn.error or wire.TurnError(message=f"the turn ended as `{turn.status}`")
    if word_of(error.codex_error_info)[0] == "usageLimitExceeded" or "usage limit" in error.message:
        return _limit(error, limits, now)
    return _info(_find(error), _said_by_vendor(error.message) or error.message)


def is_final(error: wire.TurnError, attempt: int) -> bool:
    """Whether another try of the CLI's own is pointless, or one too many: the run may be repeated as a whole.

    Left alone, the CLI asks six times, and thirty times where the vendor fails. One refusal of the login, of the model or of the
    size is as good as six; of what may pass, three are.
    """
    _, status = word_of(error.codex_error_info)
    # The CLI's words after five requests that met a failing server; it names no status then.
    tried = _HIGH_DEMAND in (error.additional_details or error.message)
    return attempt > _OWN_RETRIES or tried or status in _NEVER_PASSES


def refused_request(error: wire.RpcError) -> ErrorInfo:
    """The failure that the refusal of a request means."""
    if "no rollout found" in error.message or "invalid session id" in error.message:
        return _info(SESSION_LOST, "")
    found = next((failure for words, failure in _BY_TEXT.items() if words in error.message), _EXECUTION)
    return _info(found, error.message)


def word_of(info: object) -> tuple[str | None, int | None]:
    """The CLI's word for an error, and the HTTP status it names, if it does."""
    if isinstance(info, str):
        return info, None
    if isinstance(info, dict) and len(info) == 1:
        word, fields = next(iter(info.items()))
        status = fields.get("httpStatusCode") if isinstance(fields, dict) else None
        return str(word), status if isinstance(status, int) else None
    return None, None


def _find(error: wire.TurnError) -> _Failure:
    word, status = word_of(error.codex_error_info)
    if word in _BY_WORD:
        return _BY_WORD[word]
    if status is not None:
        return _BY_STATUS.get(status, _SERVER if status >= _SERVER_STATUS else _BAD_REQUEST)
    return _by_text(error.message) or _BY_KIND.get(word or "", _UNKNOWN)


def _by_text(message: str) -> _Failure | None:
    if _said_by_vendor(message) is not None:
        return _BAD_REQUEST
    return next((failure for words, failure in _BY_TEXT.items() if words in message), None)


def _said_by_vendor(message: str) -> str | None:
    """The vendor's own words, where the CLI passes on its whole answer to a request that is wrong; ``None`` where it does not."""
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
        # The same word as for a full window; an account without credit does not fill again by waiting.
        return _info(_QUOTA, error.message)
    full = [window for window in (windows(limits) if limits is not None else ()) if is_full(window)]
    # Of two that are full, the one that opens last decides.
    window = max(full, key=lambda one: one.resets_at or 0.0, default=None)
    name = window_name(window) if window is not None else "unknown"
    wait = (
        max(0.0, round(window.resets_at - now, 1))
        if window is not None and window.resets_at is not None
        else None
    )
    return ErrorInfo(
        code=f"limit.{name}" if name in _WINDOWS else "limit.window_full",
        message=f"The {_WINDOWS.get(name, 'usage')} window of the plan is full: {_detail(error.message)}",
        whose_turn="wait",
        retry_after_s=wait,
    )


def _info(failure: _Failure, detail: str) -> ErrorInfo:
    said = _detail(detail)
    message = f"{failure.what}: {said}" if said else failure.what
    return ErrorInfo(code=failure.code, message=message, hint=failure.hint, whose_turn=failure.whose_turn)


def _detail(text: str) -> str:
    return text.strip().partition("\n\n")[0][:_DETAIL_CHARS]
