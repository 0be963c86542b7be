"""Every scenario the simulator knows by name. Pure data; the names are what a simulator URL may carry."""

from __future__ import annotations

import difflib

import msgspec

from .replies import (
    FIVE_HOUR,
    SEVEN_DAY,
    Answer,
    Echo,
    Failure,
    Filler,
    Limits,
    NoAnswer,
    Page,
    Reply,
    Structured,
    Text,
    Thinking,
    ToolRound,
    ToolUse,
    WindowShare,
)

OK = Answer(content=(Text("ok from the simulator"),))

_DAY_S = 24 * 3600
_PARTIAL = (Text("this part is lost when the stream breaks"),)
_BASH = ToolUse("Bash", {"command": "echo tool ran", "description": "Print two words"})


class Scenario(msgspec.Struct, frozen=True):
    """What a name stands for: one line for a human, and the replies to the 1st, 2nd, ... request; the last repeats."""

    description: str
    replies: tuple[Reply, ...]


def _one(description: str, reply: Reply) -> Scenario:
    return Scenario(description, (reply,))


def _limit_hit(description: str, limits: Limits) -> Scenario:
    message = "This request would exceed your account's rate limit. Please try again later."
    return _one(description, Failure(status=429, kind="rate_limit_error", message=message, limits=limits))


def _failure(description: str, status: int, kind: str, message: str) -> Scenario:
    return _one(description, Failure(status=status, kind=kind, message=message))


_ANSWERS = {
    "ok": _one("a short answer, streamed in several deltas, with the plan's limits in the headers", OK),
    "echo": _one("repeats the last text the user sent", Answer(content=(Echo(),))),
    "text": _one("answers the words after the colon, as in text:hello%20world", OK),
    "thinking": _one(
        "thinks, then answers",
        Answer(content=(Thinking("let me think about it"), Text("thought it through"))),
    ),
    "tool-use": _one(
        "calls Bash once, then answers",
        ToolRound(call=_BASH, answer=Answer(content=(Text("the tool has run"),))),
    ),
    "tool-loop": _one("calls Bash again and again, never answers", Answer(content=(_BASH,))),
    "structured": _one("gives a value that fits the schema of the request", Answer(content=(Structured(),))),
    "structured-bad": _one(
        "calls StructuredOutput with a value that fits no schema",
        Answer(content=(ToolUse("StructuredOutput", {"not_in_the_schema": True}),)),
    ),
    "structured-text": _one(
        "answers in text although a schema was asked for", Answer(content=(Text("forty-two"),))
    ),
    "slow": _one(
        "ten words, one every 0.2 s",
        Answer(content=(Text("one two three four five six seven eight nine ten"),), pace_s=0.2),
    ),
    "huge": _one("2 MiB of text in one delta", Answer(content=(Filler(2048),))),
}

_FULL_SHARE = WindowShare(window="five_hour", used=1.0, threshold=1.0, resets_in_s=3 * 3600)
_FULL = Limits(status="rejected", shares=(_FULL_SHARE, SEVEN_DAY))
_NEARLY_FULL = WindowShare(window="five_hour", used=0.93, threshold=0.9, resets_in_s=3 * 3600)
_NEARLY_FULL_WEEK = WindowShare(window="seven_day", used=0.78, threshold=0.75, resets_in_s=3 * _DAY_S)


def _ok_with(limits: Limits) -> Answer:
    return msgspec.structs.replace(OK, limits=limits)


_LIMITS = {
    "warning-five-hour": _one(
        "answers; the five-hour window is 93 % used", _ok_with(Limits(shares=(_NEARLY_FULL, SEVEN_DAY)))
    ),
    "warning-seven-day": _one(
        "answers; the weekly window is 78 % used", _ok_with(Limits(shares=(FIVE_HOUR, _NEARLY_FULL_WEEK)))
    ),
    "overage": _one(
        "answers from extra, paid usage: the five-hour window is full",
        _ok_with(msgspec.structs.replace(_FULL, overage="allowed", overage_in_use=True)),
    ),
    "last-of-five-hour": _one("answers; the five-hour window is full from now on", _ok_with(_FULL)),
    "limit-five-hour": _limit_hit("429: the five-hour window is full", _FULL),
    "limit-seven-day": _limit_hit(
        "429: the weekly window is full",
        Limits(status="rejected", window="seven_day", resets_in_s=_DAY_S, shares=()),
    ),
    "limit-opus": _limit_hit(
        "429: the weekly Opus window is full",
        Limits(status="rejected", window="seven_day_opus", resets_in_s=_DAY_S, shares=()),
    ),
    "rate-limited": _failure(
        "429 without any window", 429, "rate_limit_error", "Number of requests has exceeded your rate limit"
    ),
    "rate-limited-retry-after": _one(
        "429 with retry-after: 3",
        Failure(
            status=429,
            kind="rate_limit_error",
            message="Number of requests has exceeded your rate limit",
            retry_after_s=3,
        ),
    ),
}

_ERRORS = {
    "bad-request": _failure(
        "400", 400, "invalid_request_error", "messages.0: all messages must have non-empty content"
    ),
    "prompt-too-long": _failure(
        "400: the prompt does not fit",
        400,
        "invalid_request_error",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    "credit-balance": _failure(
        "400: an API account without credit",
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
    ),
    "unauthorized": _failure(
        "401: the login is not accepted",
        401,
        "authentication_error",
        "OAuth authentication is currently not supported.",
    ),
    "token-expired": _failure(
        "401: the login has expired",
        401,
        "authentication_error",
        "OAuth token has expired. Please obtain a new token or refresh your existing token.",
    ),
    "invalid-api-key": _failure(
        "401: the key is not accepted", 401, "authentication_error", "invalid x-api-key"
    ),
    "token-revoked": _failure(
        "403: the login was revoked", 403, "permission_error", "OAuth token has been revoked."
    ),
    "forbidden": _failure("403", 403, "permission_error", "Your account does not have access to Claude."),
    "not-found": _failure("404: no such model", 404, "not_found_error", "model: no-such-model"),
    "too-large": _failure("413", 413, "request_too_large", "Request exceeds the maximum size"),
    "server-error": _failure("500", 500, "api_error", "Internal server error"),
    "unavailable": _failure("503", 503, "api_error", "Service unavailable"),
    "overloaded": _failure("529", 529, "overloaded_error", "Overloaded"),
}

_FAULTS = {
    "reset": _one("resets the connection before answering", NoAnswer(fault="reset")),
    "reset-mid-stream": _one(
        "resets the connection after two deltas", Answer(content=_PARTIAL, fault="reset", fault_after=2)
    ),
    "eof-mid-stream": _one(
        "closes the connection after two deltas", Answer(content=_PARTIAL, fault="eof", fault_after=2)
    ),
    "error-mid-stream": _one(
        "sends an error event after two deltas", Answer(content=_PARTIAL, fault="error", fault_after=2)
    ),
    "hang": _one("takes the request and never answers", NoAnswer(fault="hang")),
    "hang-mid-stream": _one(
        "falls silent after two deltas", Answer(content=_PARTIAL, fault="hang", fault_after=2)
    ),
    "pings": _one(
        "starts a message, then only pings, for ever", Answer(content=_PARTIAL, fault="pings", fault_after=0)
    ),
    "html": _one(
        "200 with an HTML page", Page(body="<html><body>Sign in to the guest network</body></html>")
    ),
    "empty": _one("a message without any content", Answer(content=())),
    "empty-text": _one("a message whose text is empty", Answer(content=(Text(""),))),
    "thinking-only": _one("thinks and says nothing", Answer(content=(Thinking("let me think about it"),))),
    "max-tokens": _one(
        "cut by max_tokens, every time", Answer(content=(Text("cut here"),), stop_reason="max_tokens")
    ),
    "refusal": _one("refused by the model", Answer(content=(Text("I can"),), stop_reason="refusal")),
    "context-window": _one(
        "cut because the context is full",
        Answer(content=(Text("cut here"),), stop_reason="model_context_window_exceeded"),
    ),
}

#: Name to scenario, in the order ``oneseat simulator --list`` prints them.
SCENARIOS: dict[str, Scenario] = {**_ANSWERS, **_LIMITS, **_ERRORS, **_FAULTS}


class UnknownScenarioError(LookupError):
    """Raised for a name that stands for nothing. Its text names the near matches."""


def replies_for(name: str, scripts: dict[str, tuple[Reply, ...]]) -> tuple[Reply, ...]:
    """The replies a URL's scenario name stands for.

    ``scripts`` are the caller's own and win over built-in names. ``text:WORDS`` answers those words, ``NAME:3`` plays NAME for
    three requests and then answers ok, ``NAME-once`` is ``NAME:1``. Raises ``UnknownScenarioError``.
    """
    if name in scripts:
        return scripts[name]
    if name in SCENARIOS:
        return SCENARIOS[name].replies
    base, _, argument = name.partition(":")
    if base == "text":
        return (Answer(content=(Text(argument),)),)
    if name.endswith("-once"):
        base, argument = name.removesuffix("-once"), "1"
    known = scripts.get(base) or (SCENARIOS[base].replies if base in SCENARIOS else None)
    if known is None or not (argument.isascii() and argument.isdigit()):
        raise UnknownScenarioError(_not_known(name, base, (*SCENARIOS, *scripts)))
    return (*known[:1] * int(argument), OK)


def _not_known(name: str, base: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(base, known, n=3)
    hint = (
        f"did you mean {' or '.join(f'`{match}`' for match in near)}"
        if near
        else "list them with `oneseat simulator --list`"
    )
    return f"unknown scenario: `{name}`; {hint}"
