"""What a result line of the CLI is worth. The CLI says ``subtype: "success"`` for every API error, so nothing here trusts it.

Classes, statuses and reasons as measured on claude 2.1.197 and 2.1.329. Words of a message decide only where the CLI gives
no field to decide by, and each such case says so.
"""

from __future__ import annotations

from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo, WhoseTurn

from .wire import RateLimitInfo, ResultLine


class _Failure(NamedTuple):
    code: str
    what: str
    whose_turn: WhoseTurn = "provider"
    hint: str | None = None


#: How much of the provider's own words a message carries.
_DETAIL_CHARS = 500
_SIGN_IN = "Sign in again: run `claude` and type /login, then `oneseat doctor`"
_AGAIN = "Try again in a minute"

#: By the class on the CLI's synthetic message.
_BY_CLASS: dict[str, _Failure] = {
    "authentication_failed": _Failure(
        "provider.auth_rejected", "The provider rejected the login", "you", _SIGN_IN
    ),
    "oauth_org_not_allowed": _Failure(
        "provider.auth_rejected", "The login's organisation does not allow this", "you", _SIGN_IN
    ),
    "account_on_hold": _Failure(
        "provider.account_on_hold", "The provider has put the account on hold", "you"
    ),
    "verification_required": _Failure(
        "provider.verification_required", "The provider wants the account verified", "you"
    ),
    "billing_error": _Failure(
        "provider.credit_exhausted", "The provider wants payment for this request", "you"
    ),
    "model_not_found": _Failure(
        "provider.model_not_found",
        "The provider does not know the model, or the login may not use it",
        "you",
        "Choose another model: `oneseat run --model sonnet ...`",
    ),
    "max_output_tokens": _Failure(
        "incomplete.max_tokens",
        "The answer was cut at the model's output limit",
        "you",
        "Ask for a shorter answer",
    ),
    "overloaded": _Failure("provider.overloaded", "The provider is overloaded", "wait", _AGAIN),
    "server_error": _Failure("provider.server_error", "The provider failed", "wait", _AGAIN),
    "invalid_request": _Failure("provider.bad_request", "The provider did not accept the request", "you"),
    "cloud_credential_error": _Failure(
        "provider.cloud_credentials", "The cloud provider's credentials failed", "you"
    ),
}

_BY_STATUS: dict[int, _Failure] = {
    400: _Failure("provider.bad_request", "The provider did not accept the request", "you"),
    401: _BY_CLASS["authentication_failed"],
    403: _BY_CLASS["authentication_failed"],
    404: _BY_CLASS["model_not_found"],
    413: _Failure(
        "provider.request_too_large",
        "The request is too large for the provider",
        "you",
        "Send less text or fewer files",
    ),
    529: _BY_CLASS["overloaded"],
}

_BY_TERMINAL_REASON: dict[str, _Failure] = {
    "prompt_too_long": _Failure(
        "provider.context_overflow",
        "The prompt exceeds the model's context window",
        "you",
        "Send less text, or split it over several runs",
    ),
    "image_error": _BY_STATUS[413],
    "aborted_streaming": _Failure("provider.interrupted", "The turn was interrupted", "you"),
    "aborted_tools": _Failure("provider.interrupted", "The turn was interrupted while a tool ran", "you"),
}

_BY_STOP_REASON: dict[str, _Failure] = {
    "refusal": _Failure(
        "incomplete.refused",
        "The model refused to answer",
        "you",
        "Rephrase the prompt, or choose another model",
    ),
}

_BY_SUBTYPE: dict[str, _Failure] = {
    "error_max_turns": _Failure(
        "budget.turns_reached",
        "The run reached its turn limit before it finished",
        "you",
        "Allow more: `oneseat run --max-turns ...`",
    ),
    "error_max_budget_usd": _Failure(
        "budget.reached",
        "The run reached its budget before it finished",
        "you",
        "Allow more: `oneseat run --max-budget-usd ...`",
    ),
    "error_max_structured_output_retries": _Failure(
        "incomplete.schema_unmet", "The model's answer does not match the schema", "you"
    ),
    "error_during_execution": _Failure("provider.execution_error", "The CLI reported an error", "provider"),
}

_CONTEXT_FULL = _Failure(
    "incomplete.context_window",
    "The conversation exceeds the model's context window",
    "you",
    "Send less text, or start a new session",
)
_THIRD_PARTY = _Failure(
    "provider.third_party",
    "The provider treats the request as another program's and wants extra, paid usage for it",
    "you",
)
_UNREACHABLE = _Failure(
    "provider.unreachable",
    "The provider could not be reached",
    "wait",
    "Check the network, then run it again",
)
_CONNECTION_LOST = _Failure(
    "provider.connection_lost", "The connection to the provider was lost", "wait", _AGAIN
)
#: By words of a message without a status: 2.1.197 says "Connection closed" where 2.1.329 says "Connection lost", and gives an
#: error in the middle of a stream no class.
_BY_WORDS: dict[str, _Failure] = {
    "Unable to connect": _UNREACHABLE,
    "Connection error": _UNREACHABLE,
    "Connection dropped": _UNREACHABLE,
    "Connection to the API was lost": _CONNECTION_LOST,
    "Connection closed mid-response": _CONNECTION_LOST,
    "Connection lost mid-response": _CONNECTION_LOST,
    "timed out": _Failure("provider.api_timeout", "The provider did not answer in time", "wait", _AGAIN),
    "API Error: Overloaded": _BY_CLASS["overloaded"],
}

SESSION_LOST = _Failure(
    "provider.session_lost",
    "The official CLI no longer has the session",
    "you",
    "Start a new one: `oneseat run --new-session ...`",
)

#: Window names of the CLI to the words of the message. A window that is not listed is shown by its own name.
_WINDOWS = {
    "five_hour": "five-hour",
    "seven_day": "weekly",
    "seven_day_opus": "weekly Opus",
    "seven_day_sonnet": "weekly Sonnet",
}


def classify(
    line: ResultLine, error_class: str | None, limit: RateLimitInfo | None, now: float
) -> ErrorInfo | None:
    """The failure that a result line means, ``None`` when the CLI reports none. ``now`` is seconds since the epoch."""
    if not line.is_error and error_class is None:
        return None
    if not line.is_error and line.result:
        # A failed attempt that a later one in the same turn made good.
        return None
    if error_class == "rate_limit" or line.api_error_status == 429:
        return _limited(line, limit, now)
    failure = _find(line, error_class)
    detail = _detail(line)
    message = f"{failure.what}: {detail}" if detail else failure.what
    return ErrorInfo(code=failure.code, message=message, hint=failure.hint, whose_turn=failure.whose_turn)


def says_lost(words: str) -> bool:
    """Whether the CLI says that it has no such conversation; it has no field for that."""
    return "No conversation found" in words


def _find(line: ResultLine, error_class: str | None) -> _Failure:
    if any(says_lost(error) for error in line.errors):
        return SESSION_LOST
    if line.stop_reason in _BY_STOP_REASON:
        return _BY_STOP_REASON[line.stop_reason]
    if line.terminal_reason in _BY_TERMINAL_REASON:
        return _BY_TERMINAL_REASON[line.terminal_reason]
    if line.subtype in _BY_SUBTYPE:
        return _BY_SUBTYPE[line.subtype]
    return _by_text(line) or _by_class(line, error_class)


def _by_class(line: ResultLine, error_class: str | None) -> _Failure:
    if error_class in ("server_error", "unknown", None) and line.api_error_status in _BY_STATUS:
        return _BY_STATUS[line.api_error_status]
    if error_class in _BY_CLASS:
        return _BY_CLASS[error_class]
    return _Failure("provider.api_error", "The provider reported an error")


def _by_text(line: ResultLine) -> _Failure | None:
    # The CLI has no field that tells these apart: no status, and a class they share with other failures.
    text = line.result or ""
    if text.startswith("Not logged in"):
        return _Failure("provider.signed_out", "The official CLI is not signed in", "you", _SIGN_IN)
    if "context window limit" in text:
        return _CONTEXT_FULL
    if "Third-party apps" in text:
        return _THIRD_PARTY
    if line.api_error_status is not None:
        return None
    return next((failure for words, failure in _BY_WORDS.items() if words in text), None)


def _limited(line: ResultLine, limit: RateLimitInfo | None, now: float) -> ErrorInfo:
    kind = limit.rate_limit_type if limit is not None else None
    if limit is None or kind is None or limit.status != "rejected":
        return ErrorInfo(
            code="limit.rate_limited",
            message=f"The provider is rate limiting requests: {_detail(line)}",
            hint="Wait a minute, then run it again",
            whose_turn="wait",
        )
    wait = max(0.0, round(limit.resets_at - now, 1)) if limit.resets_at is not None else None
    return ErrorInfo(
        code=f"limit.{kind}",
        message=f"The {_WINDOWS.get(kind, kind)} window is full: {_detail(line)}",
        whose_turn="wait",
        retry_after_s=wait,
    )


def _detail(line: ResultLine) -> str:
    # The first paragraph says what happened; links, advice and request ids follow it.
    text = (line.result or "; ".join(line.errors)).strip()
    return text.partition("\n\n")[0][:_DETAIL_CHARS]
