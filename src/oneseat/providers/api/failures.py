"""Maps errors of the vendors' APIs to failures."""

from __future__ import annotations

import email.utils
import re
import ssl
import time
from collections.abc import Iterator, Mapping

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.providers import failures
from oneseat.providers.failures import Failure

from .chat import Stop, VendorError
from .endpoint import Answered

_REJECTED = failures.LOGIN_REJECTED._replace(what="The endpoint rejected the API key")
_FORBIDDEN = failures.LOGIN_REJECTED._replace(what="The endpoint does not permit this API key to do that")
_NO_CREDIT = failures.CREDIT_EXHAUSTED._replace(what="The API key's account has no credit left")
_DAY = Failure("limit.daily_quota", "The API key's daily quota is used up", "wait")
_GARBLED = Failure("provider.garbled", "The endpoint does not answer like an API of this kind")
#: Nothing in the environment may change where a key goes, and a certificate decides that.
_UNTRUSTED = failures.UNTRUSTED._replace(
    hint="Have the proxy let this address through: SSL_CERT_FILE and SSL_CERT_DIR do not apply to API keys"
)
_NO_API = _GARBLED._replace(hint="Check the network, and `base_url` of the key in oneseat.toml")
LINE_TOO_LONG = _GARBLED._replace(what="The endpoint sends a line that is longer than any of an API")

_NOTHING_SAID = VendorError(None, (), "")

#: By the vendors' names for a kind of error, which are more specific than the HTTP status.
_BY_KIND: dict[str, Failure] = {
    "insufficient_quota": _NO_CREDIT,
    "billing_error": _NO_CREDIT,
    "billing_not_active": _NO_CREDIT,
    "context_length_exceeded": failures.CONTEXT_OVERFLOW,
    "invalid_api_key": _REJECTED,
    "authentication_error": _REJECTED,
    "API_KEY_INVALID": _REJECTED,
    "model_not_found": failures.MODEL_NOT_FOUND,
    "overloaded_error": failures.OVERLOADED,
    "server_is_overloaded": failures.OVERLOADED,
    "slow_down": failures.OVERLOADED,
    "UNAVAILABLE": failures.OVERLOADED,
    "DEADLINE_EXCEEDED": failures.API_TIMEOUT,
    "timeout_error": failures.API_TIMEOUT,
    "request_too_large": failures.REQUEST_TOO_LARGE,
    "content_policy_violation": failures.REFUSED,
    "content_filter": failures.REFUSED,
    "bio_policy": failures.REFUSED,
    "misalignment_policy_violation": failures.REFUSED,
    "rate_limit_exceeded": failures.RATE_LIMITED,
    "rate_limit_error": failures.RATE_LIMITED,
    "server_error": failures.SERVER_ERROR,
    "api_error": failures.SERVER_ERROR,
}
_BY_STATUS: dict[int, Failure] = {
    401: _REJECTED,
    402: _NO_CREDIT,
    403: _FORBIDDEN,
    404: failures.MODEL_NOT_FOUND,
    408: failures.API_TIMEOUT,
    413: failures.REQUEST_TOO_LARGE,
    429: failures.RATE_LIMITED,
    503: failures.OVERLOADED,
    504: failures.API_TIMEOUT,
    529: failures.OVERLOADED,
}
#: By words of the message, for vendors without a field for it. Servers that implement a vendor's API use their own wording.
_BY_WORDS = (
    (re.compile(r"credit balance is too low|exceeded your current quota", re.IGNORECASE), _NO_CREDIT),
    (
        re.compile(
            r"prompt is too long|context window|context length|maximum context|exceeds the maximum number of tokens",
            re.IGNORECASE,
        ),
        failures.CONTEXT_OVERFLOW,
    ),
)
#: The failures of a received answer, by its stop reason.
_BY_STOP: dict[Stop, Failure] = {
    "max_tokens": failures.MAX_TOKENS,
    "refusal": failures.REFUSED,
    "context_window": failures.CONTEXT_WINDOW,
    "pause": failures.API_ERROR._replace(what="The provider paused the answer and did not resume it"),
}


def of_stop(stop: Stop, why: str | None) -> ErrorInfo | None:
    """The failure that a stop reason means; ``None`` for a complete answer."""
    failure = _BY_STOP.get(stop)
    return None if failure is None else failure.info(why or "")


def of_cut(answered: Answered | None, *, text: bool, begun: bool) -> ErrorInfo:
    """The failure of a response that ended without an error and without the end of an answer.

    ``text`` is whether it contained text, which is not requested and paid for again, and ``begun`` whether it contained anything
    of an answer: otherwise a further request would get no answer either.
    """
    other = _not_the_api(answered)
    if other is not None:
        return other
    if text:
        return failures.CUT_OFF.info()
    if begun:
        return failures.CONNECTION_LOST.info("the answer stopped in the middle")
    return _NO_API.info("its response contains no answer")


def of_error(
    error: Exception, said: VendorError | None, answered: Answered | None, key: str | None
) -> ErrorInfo:
    """The failure that an exception means. ``said`` is the vendor's error in it, ``key`` the name of the key."""
    own = next((each.info for each in _causes(error) if isinstance(each, OneseatError)), None)
    if own is not None or said is not None:
        return own or _of_words(said or _NOTHING_SAID, answered, key)
    kinds = {type(each).__name__ for each in _causes(error)}
    if kinds & {"ConnectError", "ConnectTimeout", "UnsupportedProtocol"}:
        return _not_reached(error)
    if kinds & {"ReadTimeout", "WriteTimeout", "PoolTimeout"}:
        return failures.API_TIMEOUT.info()
    if kinds & {"ReadError", "WriteError", "CloseError", "RemoteProtocolError", "LocalProtocolError"}:
        return failures.CONNECTION_LOST.info()
    # Omit the exception's own text, which may quote the answer.
    return _not_the_api(answered) or _GARBLED.info(f"it cannot be read ({type(error).__name__})")


def _not_reached(error: Exception) -> ErrorInfo:
    untrusted = next(
        (each for each in _causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None
    )
    return (
        failures.UNREACHABLE.info(_reason(error))
        if untrusted is None
        else _UNTRUSTED.info(untrusted.verify_message)
    )


def _of_words(said: VendorError, answered: Answered | None, key: str | None) -> ErrorInfo:
    failure = _find(said)
    if failure in (_REJECTED, _FORBIDDEN):
        # Omit the vendor's own text: some vendors quote part of the key.
        hint = f"Check the key: `oneseat key list`, then `oneseat key set {key}`" if key is not None else None
        return failure._replace(hint=hint).info(f"status {said.status}" if said.status else "")
    other = _not_the_api(answered)
    detail = said.message if other is None else f"status {said.status}, not in the API's format"
    return msgspec.structs.replace(failure.info(detail), retry_after_s=said.retry_after_s)


def _find(said: VendorError) -> Failure:
    # Google uses one name for a per-minute limit, a daily limit and an empty account; only the quota's name identifies a daily one.
    if "RESOURCE_EXHAUSTED" in said.kinds:
        return _DAY if "daily_quota" in said.kinds else failures.RATE_LIMITED
    found = [failure for pattern, failure in _BY_WORDS if pattern.search(said.message)]
    found += [_BY_KIND[kind] for kind in said.kinds if kind in _BY_KIND]
    status = said.status or 0
    if found or status in _BY_STATUS:
        return found[0] if found else _BY_STATUS[status]
    if status >= 500:
        return failures.SERVER_ERROR
    if 300 <= status < 400:
        return _GARBLED._replace(what="The endpoint redirects to another address")
    return failures.BAD_REQUEST if status else failures.API_ERROR


def _not_the_api(answered: Answered | None) -> ErrorInfo | None:
    """Why a response cannot be from the API: for example the login page of a guest network. ``None`` if it can."""
    if answered is None or not answered.content_type.startswith("text/html"):
        return None
    return _NO_API.info(f"a web page (`{answered.content_type.partition(';')[0]}`, status {answered.status})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _reason(error: Exception) -> str:
    """The operating system's message, such as "Connection refused"."""
    found = next((each for each in _causes(error) if isinstance(each, OSError) and each.strerror), None)
    return str(found.strerror) if found is not None else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """When to retry, in seconds, from the headers of a response."""
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
