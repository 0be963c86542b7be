"""Is a failed attempt repeated, when, how, and with what? Decided by what went wrong and by what the attempt may have done.

An attempt in which a tool acted is never repeated: its effects would happen twice. Neither is anything that concerns who
pays, a login that was rejected, a budget, or a mistake in the request: another attempt would only fail, or spend, again.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.sessions import EndReason

_BASE_S = 2.0
_CAP_S = 30.0
_RATE_LIMITED = "limit.rate_limited"
#: What passes by itself.
PASSING = frozenset(
    {
        "provider.overloaded",
        "provider.server_error",
        "provider.unreachable",
        "provider.connection_lost",
        "provider.api_timeout",
        _RATE_LIMITED,
    }
)
#: What can be an accident, and is none when it happens twice. A CLI that was killed (`provider.killed`) is not here: what
#: killed it, such as a full memory, would kill the next one too.
_ONCE = frozenset({"incomplete.empty", "provider.crashed", "provider.output_closed"})
#: What is repeated only when nothing had been sent.
_ONCE_UNSENT = frozenset({"stall.start"})
#: What a fresh conversation cures, and the word for it.
_HEALS: dict[str, EndReason] = {
    "provider.session_lost": "lost",
    "provider.context_overflow": "overflow",
    "incomplete.context_window": "overflow",
}
#: What another model can cure: windows of one model among them.
_FALLS_BACK = frozenset(
    {
        "provider.overloaded",
        "provider.model_not_found",
        "limit.seven_day_opus",
        "limit.seven_day_sonnet",
    }
)


class RetryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How often a prompt is sent at most because of failures that pass, and how long a run waits for that in all (seconds)."""

    max_attempts: int = 3
    max_wait_s: float = 60.0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failed attempt, and what the run has done so far.

    ``sent`` and ``acted`` say whether its prompt left and whether a tool may have acted; ``continued`` whether its
    conversation held earlier messages. ``earlier`` are the codes this run was already repeated after, ``pause_s`` is how
    long the provider itself waited before its last repetition, ``waited_s`` how long the run has waited between attempts,
    ``time_left_s`` what is left of its time (``None``: no limit). ``fallback`` is a model that was named and not yet used.
    """

    error: ErrorInfo
    sent: bool
    acted: bool = False
    continued: bool = False
    earlier: tuple[str, ...] = ()
    pause_s: float = 0.0
    waited_s: float = 0.0
    time_left_s: float | None = None
    fallback: str | None = None


class GiveUp(msgspec.Struct, frozen=True):
    """The failure is the run's."""


class Repeat(msgspec.Struct, frozen=True):
    """Send the prompt again after ``delay_s`` seconds."""

    delay_s: float


class Heal(msgspec.Struct, frozen=True):
    """Send the prompt again in a fresh conversation that is told of the earlier one."""

    reason: EndReason


class FallBack(msgspec.Struct, frozen=True):
    """Send the prompt again to another model."""

    model: str


Verdict: TypeAlias = GiveUp | Repeat | Heal | FallBack


def decide(failure: Failure, limits: RetryLimits, chance: float) -> Verdict:
    """What follows from a failed attempt. ``chance`` is a random number from 0 up to 1; it spreads the waits of many runs."""
    if failure.acted:
        return GiveUp()
    code = failure.error.code
    # Both at most once: the fresh conversation has no earlier messages, and the fallback is then used.
    if failure.continued and code in _HEALS:
        return Heal(_HEALS[code])
    if failure.fallback is not None and code in _FALLS_BACK:
        return FallBack(failure.fallback)
    if len(failure.earlier) + 1 >= limits.max_attempts or not _may_pass(failure):
        return GiveUp()
    return _after_a_pause(failure, limits, chance)


def not_repeated(failed: ErrorInfo, refused: ErrorInfo) -> ErrorInfo:
    """The error of a run whose repetition was refused: something had been sent, so it is the failure, not the refusal."""
    message = f"{failed.message}\n  it was not repeated: {refused.message}"
    return msgspec.structs.replace(failed, message=message, hint=refused.hint or failed.hint)


def _may_pass(failure: Failure) -> bool:
    error = failure.error
    if error.code in PASSING:
        return True
    if error.code.startswith("limit."):
        # A full window. One probe after its reset: a limit that sticks longer than it said is not asked again and again.
        was_full = any(code.startswith("limit.") and code != _RATE_LIMITED for code in failure.earlier)
        return error.retry_after_s is not None and not was_full
    once = error.code in _ONCE or (error.code in _ONCE_UNSENT and not failure.sent)
    return once and error.code not in failure.earlier


def _after_a_pause(failure: Failure, limits: RetryLimits, chance: float) -> Verdict:
    """Wait as long as was asked for, and a random share of a pause that doubles each time; not at all if that is too long."""
    left = limits.max_wait_s - failure.waited_s
    asked = max(failure.error.retry_after_s or 0.0, failure.pause_s)
    if asked > left:
        return GiveUp()
    backoff = chance * min(_CAP_S, _BASE_S * 2 ** len(failure.earlier))
    delay = round(min(asked + backoff, left), 3)
    # A run that would be out of time before its next attempt says what went wrong, not that its time was up.
    if failure.time_left_s is not None and delay >= failure.time_left_s:
        return GiveUp()
    return Repeat(delay)
