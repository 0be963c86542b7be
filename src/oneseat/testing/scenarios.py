"""Every scenario of the simulator by name. Pure data; a simulator URL may contain these names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal

from .replies import (
    FIVE_HOUR,
    SEVEN_DAY,
    Answer,
    Block,
    ByPayer,
    Echo,
    Failure,
    Filler,
    Limits,
    NoAnswer,
    Page,
    Reply,
    StreamFault,
    Structured,
    Text,
    Thinking,
    ToolRound,
    ToolUse,
    WindowShare,
)

_OK_TEXT = Text("ok from the simulator")
_OK = Answer(content=(_OK_TEXT,))
_THOUGHT = Thinking("let me think about it")
_BASH = ToolUse("Bash", {"command": "echo tool ran", "description": "Print two words"})
_DAY_S = 24 * 3600


def _says(*content: Block) -> Answer:
    return Answer(content=content)


def _cut(stop_reason: str) -> Answer:
    return Answer(content=(Text("cut here"),), stop_reason=stop_reason)


def _breaks(fault: StreamFault) -> Answer:
    return Answer(content=(Text("a stream that breaks after two words"),), fault=fault, fault_after=2)


def _breaks_after_block(fault: StreamFault) -> Answer:
    blocks = (Text("a finished block"), Text("a block that never ends"))
    return Answer(content=blocks, fault=fault, fault_after=4)


def _rejected(limits: Limits) -> Failure:
    message = "This request would exceed your account's rate limit. Please try again later."
    return Failure(status=429, kind="rate_limit_error", message=message, limits=limits)


def _invalid(message: str, about: Literal["credit", "context"] | None = None) -> Failure:
    return Failure(status=400, kind="invalid_request_error", message=message, about=about)


def _no_entry(status: int, message: str) -> Failure:
    kind = "authentication_error" if status == 401 else "permission_error"
    return Failure(status=status, kind=kind, message=message)


_ANSWERS: dict[str, tuple[str, Reply]] = {
    "ok": ("a short answer in several deltas, with the plan's limits in the headers", _OK),
    "echo": ("repeats the last text the user sent", _says(Echo())),
    "text": ("answers the words after the colon, as in text:hello%20world", _OK),
    "thinking": ("thinks, then answers", _says(_THOUGHT, Text("thought it through"))),
    "tool-use": (
        "calls Bash once, then answers",
        ToolRound(call=_BASH, answer=_says(Text("the tool has run"))),
    ),
    "tool-loop": ("calls Bash again and again, never answers", _says(_BASH)),
    "structured": ("gives a value that fits the schema of the request", _says(Structured())),
    "structured-bad": (
        "gives a value that does not fit the schema",
        _says(Structured({"not_in_the_schema": True})),
    ),
    "structured-text": ("answers in text although a schema was asked for", _says(Text("forty-two"))),
    "slow": (
        "ten words, one every 0.2 s",
        Answer(content=(Text("one two three four five six seven eight nine ten"),), pace_s=0.2),
    ),
    "huge": ("2 MiB of text in one delta", _says(Filler(2048))),
}

_NEARLY = WindowShare(window="five_hour", used=0.93, threshold=0.9, resets_in_s=FIVE_HOUR.resets_in_s)
_NEARLY_WEEK = WindowShare(window="seven_day", used=0.78, threshold=0.75, resets_in_s=SEVEN_DAY.resets_in_s)
_FULL = WindowShare(window="five_hour", used=1.0, threshold=1.0, resets_in_s=FIVE_HOUR.resets_in_s)
_FULL_WEEK = WindowShare(window="seven_day", used=1.0, threshold=1.0, resets_in_s=_DAY_S)
_TOO_FAST = "Number of requests has exceeded your rate limit"

_LIMITS: dict[str, tuple[str, Reply]] = {
    "warning-five-hour": (
        "answers; the five-hour window is 93 % used",
        Answer(content=(_OK_TEXT,), limits=Limits(shares=(_NEARLY, SEVEN_DAY))),
    ),
    "warning-seven-day": (
        "answers; the weekly window is 78 % used",
        Answer(content=(_OK_TEXT,), limits=Limits(shares=(FIVE_HOUR, _NEARLY_WEEK))),
    ),
    "last-of-five-hour": (
        "answers; the five-hour window is full from now on",
        Answer(content=(_OK_TEXT,), limits=Limits(status="rejected", shares=(_FULL, SEVEN_DAY))),
    ),
    "overage": (
        "answers from extra, paid usage: the five-hour window is full",
        Answer(
            content=(_OK_TEXT,),
            limits=Limits(
                status="rejected", shares=(_FULL, SEVEN_DAY), overage="allowed", overage_in_use=True
            ),
        ),
    ),
    "limit-five-hour": (
        "429: the five-hour window is full",
        _rejected(Limits(status="rejected", shares=(_FULL, SEVEN_DAY))),
    ),
    "limit-seven-day": (
        "429: the weekly window is full",
        _rejected(
            Limits(status="rejected", window="seven_day", resets_in_s=_DAY_S, shares=(FIVE_HOUR, _FULL_WEEK))
        ),
    ),
    "limit-opus": (
        "429: the weekly Opus window is full",
        _rejected(Limits(status="rejected", window="seven_day_opus", resets_in_s=_DAY_S)),
    ),
    "plan-full": (
        "the five-hour window of a plan is full; API keys are answered",
        ByPayer(plan=_rejected(Limits(status="rejected", shares=(_FULL, SEVEN_DAY))), key=_OK),
    ),
    "rate-limited": (
        "429 that names no window",
        Failure(status=429, kind="rate_limit_error", message=_TOO_FAST),
    ),
    "rate-limited-retry-after": (
        "429 that names no window, with retry-after: 3",
        Failure(status=429, kind="rate_limit_error", message=_TOO_FAST, retry_after_s=3),
    ),
}

_ERRORS: dict[str, tuple[str, Reply]] = {
    "bad-request": ("400", _invalid("messages.0: all messages must have non-empty content")),
    "prompt-too-long": (
        "400: the prompt does not fit",
        _invalid("prompt is too long: 210000 tokens > 200000 maximum", "context"),
    ),
    "credit-balance": (
        "400: an API account without credit",
        _invalid(
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits.",
            "credit",
        ),
    ),
    "unauthorized": (
        "401: the login is not accepted",
        _no_entry(401, "OAuth authentication is currently not supported."),
    ),
    "token-expired": (
        "401: the login has expired",
        _no_entry(401, "OAuth token has expired. Please obtain a new token or refresh your existing token."),
    ),
    "invalid-api-key": ("401: the key is not accepted", _no_entry(401, "invalid x-api-key")),
    "token-revoked": ("403: the login was revoked", _no_entry(403, "OAuth token has been revoked.")),
    "forbidden": ("403", _no_entry(403, "Your account does not have access to Claude.")),
    "not-found": (
        "404: no such model",
        Failure(status=404, kind="not_found_error", message="model: no-such-model"),
    ),
    "too-large": (
        "413",
        Failure(status=413, kind="request_too_large", message="Request exceeds the maximum size"),
    ),
    "server-error": ("500", Failure(status=500, kind="api_error", message="Internal server error")),
    "unavailable": ("503", Failure(status=503, kind="api_error", message="Service unavailable")),
    "overloaded": ("529", Failure(status=529, kind="overloaded_error", message="Overloaded")),
}

_FAULTS: dict[str, tuple[str, Reply]] = {
    "reset": ("resets the connection before answering", NoAnswer(fault="reset")),
    "reset-mid-stream": ("resets the connection after two deltas", _breaks("reset")),
    "reset-after-block": ("resets the connection after a finished block", _breaks_after_block("reset")),
    "eof-mid-stream": ("closes the connection after two deltas", _breaks("eof")),
    "eof-after-block": ("closes the connection after a finished block", _breaks_after_block("eof")),
    "error-mid-stream": ("sends an error event after two deltas", _breaks("error")),
    "error-after-block": ("sends an error event after a finished block", _breaks_after_block("error")),
    "hang": ("takes the request and never answers", NoAnswer(fault="hang")),
    "hang-mid-stream": ("falls silent after two deltas", _breaks("hang")),
    "pings": (
        "starts a message, then only pings, two a second, for ever",
        Answer(content=(_OK_TEXT,), fault="pings", fault_after=0, pace_s=0.5),
    ),
    "html": (
        "200 with an HTML page",
        Page(body="<html><body>Sign in to the guest network</body></html>"),
    ),
    "empty": ("a message without any content", _says()),
    "empty-text": ("a message whose text is empty", _says(Text(""))),
    "thinking-only": ("thinks and says nothing", _says(_THOUGHT)),
    "max-tokens": ("cut by max_tokens, every time", _cut("max_tokens")),
    "context-window": ("cut because the context is full, every time", _cut("model_context_window_exceeded")),
    "refusal": ("refused by the model", _cut("refusal")),
}

_LIBRARY = {**_ANSWERS, **_LIMITS, **_ERRORS, **_FAULTS}

#: Every name with a one-line description, in the order in which ``oneseat simulator --list`` prints them.
SCENARIOS: dict[str, str] = {name: description for name, (description, _) in _LIBRARY.items()}


class UnknownScenarioError(LookupError):
    """Raised for an unknown scenario. Its text suggests similar names."""


def replies_for(name: str, scripts: Mapping[str, tuple[Reply, ...]]) -> tuple[Reply, ...]:
    """The replies to the 1st, 2nd, ... request of the scenario named in a URL; the last one repeats.

    ``scripts`` are the caller's own and override built-in names. ``text:WORDS`` answers those words. ``NAME:3`` plays the first
    reply of NAME three times (at most 9999), then answers ok; ``NAME-once`` is ``NAME:1``. Raises ``UnknownScenarioError``.
    """
    known = _known(name, scripts)
    if known is not None:
        return known
    base, _, argument = name.partition(":")
    if base == "text":
        return (_says(Text(argument)),)
    if name.endswith("-once"):
        base, argument = name.removesuffix("-once"), "1"
    known = _known(base, scripts)
    if known is None or not (argument.isascii() and argument.isdigit() and len(argument) <= 4):
        raise UnknownScenarioError(_not_known(name, base, (*_LIBRARY, *scripts)))
    return (*known[:1] * int(argument), _OK)


def _known(name: str, scripts: Mapping[str, tuple[Reply, ...]]) -> tuple[Reply, ...] | None:
    if name in scripts:
        return scripts[name]
    return (_LIBRARY[name][1],) if name in _LIBRARY else None


def _not_known(name: str, base: str, known: tuple[str, ...]) -> str:
    near = " or ".join(f"`{match}`" for match in difflib.get_close_matches(base, known, n=3))
    hint = f"did you mean {near}" if near else "list them with `oneseat simulator --list`"
    return f"unknown scenario: `{name}`; {hint}"
