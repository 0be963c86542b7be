"""What an error of a vendor's API means, in the codes that every provider has."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError, WhoseTurn

from .chat import Stop, TruncatedError, VendorError
from .endpoint import Answered

#: How much of the vendor's own words a message carries.
_DETAIL_CHARS = 500
_AGAIN = "Try again in a minute"


class _Failure(NamedTuple):
    code: str
    what: str
    whose_turn: WhoseTurn = "provider"
    hint: str | None = None


_REJECTED = _Failure("provider.auth_rejected", "The endpoint rejected the key", "you")
_FORBIDDEN = _Failure("provider.auth_rejected", "The endpoint does not let this key do that", "you")
_NO_CREDIT = _Failure("provider.credit_exhausted", "The account of the key has no credit left", "you")
_OVERFLOW = _Failure(
    "provider.context_overflow",
    "The prompt does not fit the model's context",
    "you",
    "Send less text, or split it over several runs",
)
_OVERLOADED = _Failure("provider.overloaded", "The provider is overloaded", "wait", _AGAIN)
_SERVER = _Failure("provider.server_error", "The provider failed", "wait", _AGAIN)
_TIMEOUT = _Failure("provider.api_timeout", "The provider did not answer in time", "wait", _AGAIN)
_BAD = _Failure("provider.bad_request", "The provider did not accept the request", "you")
_NO_MODEL = _Failure(
    "provider.model_not_found",
    "The provider does not know the model, or the key may not use it",
    "you",
    "Choose another model: `oneseat run --model ...`",
)
_TOO_LARGE = _Failure(
    "provider.request_too_large",
    "The request is too large for the provider",
    "you",
    "Send less text or fewer files",
)
_REFUSED = _Failure(
    "incomplete.refused", "The model refused to answer", "you", "Say it differently, or choose another model"
)
_LIMITED = _Failure(
    "limit.rate_limited",
    "The provider is limiting requests for a moment",
    "wait",
    "Wait a minute and run it again",
)
_DAY = _Failure("limit.daily_quota", "The key's quota of the day is used up", "wait")
_LOST = _Failure("provider.connection_lost", "The connection to the provider broke", "wait", _AGAIN)
_UNREACHABLE = _Failure(
    "provider.unreachable",
    "The provider could not be reached",
    "wait",
    "Check the network, then run it again",
)
_GARBLED = _Failure("provider.garbled", "The endpoint answered what no API of this kind answers", "provider")
INTERRUPTED = ErrorInfo(
    code="provider.interrupted", message="The turn was interrupted before it was done", whose_turn="you"
)

_NOTHING_SAID = VendorError(None, (), "")

#: By the vendors' own words for a kind of error, which say more than a status does.
_BY_KIND: dict[str, _Failure] = {
    "insufficient_quota": _NO_CREDIT,
    "billing_error": _NO_CREDIT,
    "billing_not_active": _NO_CREDIT,
    "context_length_exceeded": _OVERFLOW,
    "invalid_api_key": _REJECTED,
    "authentication_error": _REJECTED,
    "API_KEY_INVALID": _REJECTED,
    "model_not_found": _NO_MODEL,
    "overloaded_error": _OVERLOADED,
    "server_is_overloaded": _OVERLOADED,
    "slow_down": _OVERLOADED,
    "UNAVAILABLE": _OVERLOADED,
    "DEADLINE_EXCEEDED": _TIMEOUT,
    "timeout_error": _TIMEOUT,
    "request_too_large": _TOO_LARGE,
    "content_policy_violation": _REFUSED,
    "content_filter": _REFUSED,
    "bio_policy": _REFUSED,
    "misalignment_policy_violation": _REFUSED,
    "rate_limit_exceeded": _LIMITED,
    "rate_limit_error": _LIMITED,
    "server_error": _SERVER,
    "api_error": _SERVER,
}
_BY_STATUS: dict[int, _Failure] = {
    401: _REJECTED,
    402: _NO_CREDIT,
    403: _FORBIDDEN,
    404: _NO_MODEL,
    408: _TIMEOUT,
    413: _TOO_LARGE,
    429: _LIMITED,
    503: _OVERLOADED,
    504: _TIMEOUT,
    529: _OVERLOADED,
}
#: Where a vendor has no field for it, and the words of the message decide. Servers that speak a vendor's API word it their way.
_BY_WORDS = (
    (re.compile(r"credit balance is too low|exceeded your current quota", re.IGNORECASE), _NO_CREDIT),
    (
        re.compile(
            r"prompt is too long|context window|context length|maximum context|exceeds the maximum number of tokens",
            re.IGNORECASE,
        ),
        _OVERFLOW,
    ),
)
#: What is wrong with an answer that came.
_BY_STOP: dict[Stop, _Failure] = {
    "max_tokens": _Failure(
        "incomplete.max_tokens",
        "The answer was cut at the model's output limit",
        "you",
        "ChatRequest for less in one answer",
    ),
    "refusal": _REFUSED,
    "context_window": _Failure(
        "incomplete.context_window",
        "The conversation filled the model's context",
        "you",
        "Send less text, or start a new session",
    ),
    "pause": _Failure("provider.api_error", "The provider paused the answer and did not go on"),
}


def of_stop(stop: Stop, why: str | None) -> ErrorInfo | None:
    """What is wrong with an answer that ended so; ``None`` when nothing is."""
    failure = _BY_STOP.get(stop)
    return None if failure is None else _info(failure, why or "")


def of_error(
    error: Exception, said: VendorError | None, answered: Answered | None, key: str | None
) -> ErrorInfo:
    """What an exception means. ``said`` is what the vendor says by it, ``key`` the name of the key."""
    own = next((each.info for each in _causes(error) if isinstance(each, OneseatError)), None)
    if own is not None or said is not None:
        return own or _of_words(said or _NOTHING_SAID, answered, key)
    if isinstance(error, TruncatedError):
        strange = _strange(answered)
        return strange if strange is not None else _info(_LOST, str(error))
    kinds = {type(each).__name__ for each in _causes(error)}
    if kinds & {"ConnectError", "ConnectTimeout", "UnsupportedProtocol"}:
        return _info(_UNREACHABLE, _reason(error))
    if kinds & {"ReadTimeout", "WriteTimeout", "PoolTimeout"}:
        return _info(_TIMEOUT, "")
    if kinds & {"ReadError", "WriteError", "CloseError", "RemoteProtocolError", "LocalProtocolError"}:
        return _info(_LOST, "")
    # Its own words may hold anything, a part of the answer among it.
    return _strange(answered) or _info(_GARBLED, f"it cannot be read ({type(error).__name__})")


def _of_words(said: VendorError, answered: Answered | None, key: str | None) -> ErrorInfo:
    failure = _find(said)
    if failure in (_REJECTED, _FORBIDDEN):
        # Without the vendor's words: some of them repeat a part of the key.
        hint = f"Check the key: `oneseat key list`, then `oneseat key set {key}`" if key is not None else None
        return _info(failure._replace(hint=hint), f"status {said.status}" if said.status else "")
    strange = _strange(answered)
    detail = said.message if strange is None else f"status {said.status}, and not the API's own words"
    return msgspec.structs.replace(_info(failure, detail), retry_after_s=said.retry_after_s)


def _find(said: VendorError) -> _Failure:
    # Google says the same of a minute's limit, a day's and an empty account; only the name of the quota tells the day's.
    if "RESOURCE_EXHAUSTED" in said.kinds:
        return _DAY if "daily_quota" in said.kinds else _LIMITED
    found = [failure for pattern, failure in _BY_WORDS if pattern.search(said.message)]
    found += [_BY_KIND[kind] for kind in said.kinds if kind in _BY_KIND]
    status = said.status or 0
    if found or status in _BY_STATUS:
        return found[0] if found else _BY_STATUS[status]
    if status >= 500:
        return _SERVER
    if 300 <= status < 400:
        return _GARBLED._replace(what="The endpoint sends requests on to another address")
    return _BAD if status else _Failure("provider.api_error", "The provider reported an error")


def _strange(answered: Answered | None) -> ErrorInfo | None:
    """Why a response cannot be the API's: a page for a browser, as a guest network gives."""
    if answered is None or not answered.content_type.startswith("text/html"):
        return None
    return _info(
        _GARBLED,
        f"a web page (`{answered.content_type.partition(';')[0]}`, status {answered.status})",
        hint="Check the network, and `base_url` of the key in oneseat.toml",
    )


def _info(failure: _Failure, detail: str, hint: str | None = None) -> ErrorInfo:
    detail = detail.strip().partition("\n\n")[0][:_DETAIL_CHARS]
    return ErrorInfo(
        code=failure.code,
        message=f"{failure.what}: {detail}" if detail else failure.what,
        hint=hint or failure.hint,
        whose_turn=failure.whose_turn,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _reason(error: Exception) -> str:
    """The system's own words, such as "Connection refused"."""
    found = next((each for each in _causes(error) if isinstance(each, OSError) and each.strerror), None)
    return str(found.strerror) if found is not None else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """When to come back, in seconds, by the headers of a response."""
    in_ms = headers.get("retry-after-ms", "")
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", in_ms, re.ASCII):
        return float(in_ms) / 1000
    value = headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value, re.ASCII):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return max(0.0, round(moment.timestamp() - time.time(), 1))
    except (TypeError, ValueError, OverflowError):
        return None
