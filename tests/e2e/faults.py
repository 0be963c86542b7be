"""Every failure and every limit that the simulator can play, and what a run with the real CLI must make of it.

The requests are those of one attempt whose CLI repeats nothing by its own setting (`claude.max_retries = 0`): what is more
than one, the CLI asks again whatever it is told. Measured on 2.1.329 and 2.1.332.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """How a run ends. ``tokens`` are those known to be sent to the model, ``resets_in_s`` is when a full window begins anew."""

    code: int
    error: str | None
    whose_turn: str | None
    requests: int = 1
    text: str = ""
    verdict: str = "unverified"
    tokens: int | None = 0
    resets_in_s: float | None = None


def waits(error: str, *, resets_in_s: int | None = None, verdict: str = "verified") -> Fault:
    return Fault(5, f"limit.{error}", "wait", resets_in_s=resets_in_s, verdict=verdict)


def rejected(error: str, requests: int = 1) -> Fault:
    return Fault(7, f"provider.{error}", "you", requests)


def passes(error: str, requests: int = 1, text: str = "", *, tokens: int | None = 0) -> Fault:
    return Fault(7, f"provider.{error}", "wait", requests, text, tokens=tokens)


def untrusted(error: str, whose_turn: str, requests: int, text: str = "", *, tokens: int) -> Fault:
    return Fault(8, f"incomplete.{error}", whose_turn, requests, text, "verified", tokens)


OK = Fault(0, None, None, text="ok from the simulator", verdict="verified", tokens=10)
STALLED = Fault(6, "stall.model", "provider", tokens=None)
BLOCK = "a finished block"
DAY_S = 24 * 3600

LIMITS = {
    # Nothing fails while a window is nearly full, and a full one says when it begins anew.
    "warning-five-hour": OK,
    "warning-seven-day": OK,
    "last-of-five-hour": OK,
    "limit-five-hour": waits("five_hour", resets_in_s=3 * 3600),
    "plan-full": waits("five_hour", resets_in_s=3 * 3600),
    "limit-seven-day": waits("seven_day", resets_in_s=DAY_S),
    "limit-opus": waits("seven_day_opus", resets_in_s=DAY_S),
    # No window is named: that is no word on who paid, and no time is invented.
    "rate-limited": waits("rate_limited", verdict="unverified"),
    "rate-limited-retry-after": waits("rate_limited", verdict="unverified"),
    # Paid usage: stopped at once, so what it used in the end is not known.
    "overage": Fault(4, "billing.overage", "you", 1, OK.text, "misbilled", None),
}
REJECTIONS = {
    "bad-request": rejected("bad_request", 3),
    "prompt-too-long": rejected("context_overflow"),
    "too-large": rejected("request_too_large"),
    "not-found": rejected("model_not_found", 2),
    "credit-balance": rejected("credit_exhausted"),
    "unauthorized": rejected("auth_rejected", 2),
    "token-expired": rejected("auth_rejected", 2),
    "token-revoked": rejected("auth_rejected", 2),
    "forbidden": rejected("auth_rejected"),
    "invalid-api-key": rejected("signed_out", 2),
}
SERVER = {
    "server-error": passes("server_error"),
    "unavailable": passes("server_error"),
    "overloaded": passes("overloaded"),
    "reset": passes("unreachable"),
    "html": Fault(7, "provider.api_error", "provider"),
}
STREAMS = {
    "reset-after-block": passes("connection_lost", 4, 4 * BLOCK, tokens=40),
    "eof-after-block": passes("connection_lost", 4, 4 * BLOCK, tokens=40),
    "error-after-block": passes("server_error", 4, 4 * BLOCK, tokens=40),
    # What came is kept, and what it used is not known, so neither is the cost of a message that follows.
    "reset-mid-stream": passes("connection_lost", text="a stream", tokens=None),
    "eof-mid-stream": passes("connection_lost", text="a stream", tokens=None),
    "error-mid-stream": passes("overloaded", text="a stream", tokens=None),
}
SILENCE = {
    # A ping is no sign of life of the model.
    "hang": STALLED,
    "hang-mid-stream": STALLED._replace(text="a stream"),
    "pings": STALLED,
}
NO_ANSWERS = {
    "empty": untrusted("empty", "provider", 2, tokens=20),
    "empty-text": untrusted("empty", "provider", 2, tokens=20),
    "thinking-only": untrusted("empty", "provider", 2, tokens=20),
    "refusal": untrusted("refused", "you", 2, "cut here", tokens=20),
    "max-tokens": untrusted("max_tokens", "you", 4, 4 * "cut here", tokens=40),
    "context-window": untrusted("context_window", "you", 4, 4 * "cut here", tokens=40),
    "structured-text": untrusted("schema_unmet", "you", 4, "forty-two", tokens=40),
    # The CLI leaves its last request out of its sum.
    "structured-bad": untrusted("schema_unmet", "you", 5, tokens=40),
}
FAULTS: dict[str, Fault] = {**LIMITS, **REJECTIONS, **SERVER, **STREAMS, **SILENCE, **NO_ANSWERS}
#: These end the process, depend on what was said before, or ask for settings of their own.
ALONE = ("overage", "prompt-too-long", "too-large", *SILENCE, "structured-text", "structured-bad")
#: What is played to one process, in this order: what is known of limits and costs goes from one message to the next.
GROUPS = [
    [name for name in (*LIMITS, *REJECTIONS, *SERVER, *STREAMS) if name not in ALONE],
    [name for name in NO_ANSWERS if name not in ALONE],
    *([name] for name in ALONE),
]
#: Of those that are no failure: a window, how much of it is used, and what is said of that.
NOT_EXCEEDED = {
    "warning-five-hour": ("five_hour", 0.93, "allowed_warning"),
    "warning-seven-day": ("seven_day", 0.78, "allowed_warning"),
    "last-of-five-hour": ("five_hour", 1.0, "rejected"),
}
#: Scenarios that are neither, or have tests of their own: `tool-loop` goes on until a limit of turns, money or time ends it.
NO_FAULTS = {"ok", "echo", "text", "thinking", "tool-use", "tool-loop", "structured", "slow", "huge"}
