"""Maps a result line of the CLI to a failure. The CLI says ``subtype: "success"`` for every API error, so that is ignored.

Classes, statuses and reasons as measured on claude 2.1.329 and 2.1.332. Words of a message decide only where the CLI gives
no field to decide by, and each such case says so.
"""

from __future__ import annotations

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.providers import WINDOWS
from oneseat.providers import failures
from oneseat.providers.failures import Failure

from .wire import RateLimitInfo, ResultLine

_SIGN_IN = "Sign in again: run `claude` and type /login, then `oneseat doctor`"
_AUTH = failures.LOGIN_REJECTED._replace(hint=_SIGN_IN)

#: By the class on the CLI's synthetic message.
_BY_CLASS: dict[str, Failure] = {
    "authentication_failed": _AUTH,
    "oauth_org_not_allowed": _AUTH._replace(what="The login's organisation does not allow this"),
    "account_on_hold": Failure("provider.account_on_hold", "The provider has put the account on hold", "you"),
    "verification_required": Failure(
        "provider.verification_required", "The provider wants the account verified", "you"
    ),
    "billing_error": failures.CREDIT_EXHAUSTED,
    "model_not_found": failures.MODEL_NOT_FOUND,
    "max_output_tokens": failures.MAX_TOKENS,
    "overloaded": failures.OVERLOADED,
    "server_error": failures.SERVER_ERROR,
    "invalid_request": failures.BAD_REQUEST,
    "cloud_credential_error": Failure(
        "provider.cloud_credentials", "The cloud provider's credentials failed", "you"
    ),
}
_BY_STATUS: dict[int, Failure] = {
    400: failures.BAD_REQUEST,
    401: _AUTH,
    403: _AUTH,
    404: failures.MODEL_NOT_FOUND,
    413: failures.REQUEST_TOO_LARGE,
    529: failures.OVERLOADED,
}
_BY_TERMINAL_REASON: dict[str, Failure] = {
    "prompt_too_long": failures.CONTEXT_OVERFLOW,
    "image_error": failures.REQUEST_TOO_LARGE,
    "aborted_streaming": failures.INTERRUPTED,
    "aborted_tools": failures.INTERRUPTED._replace(what="The turn was interrupted while a tool ran"),
}
_BY_STOP_REASON: dict[str, Failure] = {"refusal": failures.REFUSED}
_BY_SUBTYPE: dict[str, Failure] = {
    "error_max_turns": Failure(
        "budget.turns_reached",
        "The run reached its turn limit before it finished",
        "you",
        "Allow more: `oneseat run --max-turns ...`",
    ),
    "error_max_budget_usd": Failure(
        "budget.reached",
        "The run reached its budget before it finished",
        "you",
        "Allow more: `oneseat run --max-budget-usd ...`",
    ),
    "error_max_structured_output_retries": Failure(
        "incomplete.schema_unmet", "The model's answer does not match the schema", "you"
    ),
    "error_during_execution": failures.EXECUTION_ERROR,
}
_SIGNED_OUT = Failure("provider.signed_out", "The official CLI is not signed in", "you", _SIGN_IN)
_THIRD_PARTY = Failure(
    "provider.third_party",
    "The provider treats the request as another program's and wants extra, paid usage for it",
    "you",
)
#: By words of a message without a status: the CLI gives an error in the middle of a stream no class.
_BY_WORDS: dict[str, Failure] = {
    # Before the words that it begins with: a certificate that is not trusted will not be at the next attempt either.
    "SSL certificate": failures.UNTRUSTED,
    "elf-signed certificate": failures.UNTRUSTED,
    "Unable to connect": failures.UNREACHABLE,
    "Connection error": failures.UNREACHABLE,
    "Connection dropped": failures.UNREACHABLE,
    "Connection to the API was lost": failures.CONNECTION_LOST,
    "Connection closed mid-response": failures.CONNECTION_LOST,
    "Connection lost mid-response": failures.CONNECTION_LOST,
    "timed out": failures.API_TIMEOUT,
    "API Error: Overloaded": failures.OVERLOADED,
}
#: What the CLI calls a window when it says that it is full.
_SAID = {
    "5-hour": "five_hour",
    "weekly": "seven_day",
    "Opus": "seven_day_opus",
    "Sonnet": "seven_day_sonnet",
}


def classify(
    line: ResultLine, error_class: str | None, limit: RateLimitInfo | None, now: float
) -> ErrorInfo | None:
    """The failure that a result line means, ``None`` when the CLI reports none. ``now`` is seconds since the epoch."""
    # An error by its subtype is one, even where the field that says so is missing or cannot be read.
    is_error = line.is_error or line.subtype in _BY_SUBTYPE
    if not is_error and error_class is None:
        return None
    if not is_error and line.result:
        # An attempt failed, and a later one in the same turn succeeded.
        return None
    if error_class == "rate_limit" or line.api_error_status == 429:
        return _limited(line, limit, now)
    return _find(line, error_class).info(_words(line))


def says_lost(words: str) -> bool:
    """Whether the CLI says that it has no such conversation; it has no field for that."""
    return "No conversation found" in words


def _find(line: ResultLine, error_class: str | None) -> Failure:
    if any(says_lost(error) for error in line.errors):
        return failures.SESSION_LOST
    if line.stop_reason in _BY_STOP_REASON:
        return _BY_STOP_REASON[line.stop_reason]
    if line.terminal_reason in _BY_TERMINAL_REASON:
        return _BY_TERMINAL_REASON[line.terminal_reason]
    if line.subtype in _BY_SUBTYPE:
        return _BY_SUBTYPE[line.subtype]
    return _by_text(line) or _by_class(line, error_class)


def _by_class(line: ResultLine, error_class: str | None) -> Failure:
    if error_class in ("server_error", "unknown", None) and line.api_error_status in _BY_STATUS:
        return _BY_STATUS[line.api_error_status]
    if error_class in _BY_CLASS:
        return _BY_CLASS[error_class]
    return failures.API_ERROR


def _by_text(line: ResultLine) -> Failure | None:
    # The CLI has no field that tells these apart: no status, and a class they share with other failures.
    text = line.result or ""
    if text.startswith("Not logged in"):
        return _SIGNED_OUT
    if "context window limit" in text:
        return failures.CONTEXT_WINDOW
    if "Third-party apps" in text:
        return _THIRD_PARTY
    if "out of usage" in text:
        return failures.CREDIT_EXHAUSTED
    if line.api_error_status is not None:
        return None
    return next((found for words, found in _BY_WORDS.items() if words in text), None)


def _limited(line: ResultLine, limit: RateLimitInfo | None, now: float) -> ErrorInfo:
    kind = limit.rate_limit_type if limit is not None else None
    if limit is None or kind is None or limit.status != "rejected":
        return _limited_by_words(_words(line))
    wait = max(0.0, round(limit.resets_at - now, 1)) if limit.resets_at is not None else None
    return msgspec.structs.replace(_full(kind).info(_words(line)), retry_after_s=wait)


def _limited_by_words(words: str) -> ErrorInfo:
    """A limit that no event names: 2.1.332 reports no window whose reset is past, and no event says that credits are used up."""
    if "out of usage" in words:
        return failures.CREDIT_EXHAUSTED.info(words)
    named = next((window for said, window in _SAID.items() if f"hit your {said} limit" in words), None)
    if named is None:
        return failures.RATE_LIMITED.info(words)
    # It was full when the request came, and begins anew by now.
    return msgspec.structs.replace(_full(named).info(words), retry_after_s=0.0)


def _full(window: str) -> Failure:
    label = WINDOWS[window].label if window in WINDOWS else window
    return Failure(f"limit.{window}", f"The {label} window is full", "wait")


def _words(line: ResultLine) -> str:
    return line.result or "; ".join(line.errors)
