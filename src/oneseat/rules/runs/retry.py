"""Decides whether a failed attempt is retried, when and how, by its error and by what the attempt may have done.

An attempt in which a tool acted is never retried: its effects would happen twice. Nor are errors about who pays, a rejected
login, a budget or an invalid request: another attempt would only fail, or spend, again.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.providers import WINDOWS
from oneseat.contract.sessions import EndReason

_BASE_S = 2.0
_CAP_S = 30.0
_RATE_LIMITED = "limit.rate_limited"
#: Transient errors.
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
#: Errors that may be accidental, so they are retried once. Not `provider.killed`: what killed the CLI, such as exhausted
#: memory, would kill the next one too.
_ONCE = frozenset({"incomplete.empty", "provider.crashed", "provider.output_closed"})
#: Errors that are retried only if the prompt had not been sent.
_ONCE_UNSENT = frozenset({"stall.start"})
#: Errors that are retried at once, each time with another process: nothing was sent, and nobody is to be spared.
_AT_ONCE_UNSENT = frozenset({"billing.settings_changed"})
#: Errors that a new session heals, with the reason it is given.
_HEALS: dict[str, EndReason] = {
    "provider.session_lost": "lost",
    "provider.context_overflow": "overflow",
    "incomplete.context_window": "overflow",
}
#: Errors that another model may not have, including a full window of one model.
_FALLS_BACK = frozenset(
    {
        "provider.overloaded",
        "provider.model_not_found",
        *(f"limit.{window.name}" for window in WINDOWS.values() if window.of_model),
    }
)


class RetryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How often a prompt is sent at most after transient errors, and the longest total wait (seconds)."""

    max_attempts: int = 3
    max_wait_s: float = 60.0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failed attempt, and what the run has done so far.

    ``sent`` and ``acted``: whether its prompt was sent and whether a tool may have acted. ``continued``: whether its session
    had earlier messages. ``earlier``: the codes this run was already retried after. ``pause_s``: how long the provider itself
    waited before its last retry. ``waited_s``: how long the run has waited between attempts. ``time_left_s``: until its time
    limit, ``None`` without one. ``fallback``: a named model that was not used yet.
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
    """The run fails with this error."""


class Repeat(msgspec.Struct, frozen=True):
    """Send the prompt again after ``delay_s`` seconds."""

    delay_s: float


class Heal(msgspec.Struct, frozen=True):
    """Send the prompt again in a new session that starts with a summary of the earlier one."""

    reason: EndReason


class FallBack(msgspec.Struct, frozen=True):
    """Send the prompt again to another model."""

    model: str


Verdict: TypeAlias = GiveUp | Repeat | Heal | FallBack


def decide(failure: Failure, limits: RetryLimits, chance: float) -> Verdict:
    """The next step after a failed attempt. ``chance`` is a random number in [0, 1) that spreads the waits of many runs."""
    if failure.acted:
        return GiveUp()
    code = failure.error.code
    # Each at most once: a new session has no earlier messages, and a fallback is used up.
    if failure.continued and code in _HEALS:
        return Heal(_HEALS[code])
    if failure.fallback is not None and code in _FALLS_BACK:
        return FallBack(failure.fallback)
    if len(failure.earlier) + 1 >= limits.max_attempts or not _may_pass(failure):
        return GiveUp()
    return _after_a_pause(failure, limits, chance)


def not_repeated(failed: ErrorInfo, refused: ErrorInfo) -> ErrorInfo:
    """The error of a run whose retry was refused: the prompt had been sent, so report the failure and not the refusal."""
    message = f"{failed.message}\n  not retried: {refused.message}"
    return msgspec.structs.replace(failed, message=message, hint=refused.hint or failed.hint)


def _may_pass(failure: Failure) -> bool:
    error = failure.error
    if error.code in PASSING or _at_once(failure):
        return True
    if error.code.startswith("limit."):
        # A full window: one retry after its reset, so that a limit that lasts longer than reported is not asked again and again.
        was_full = any(code.startswith("limit.") and code != _RATE_LIMITED for code in failure.earlier)
        return error.retry_after_s is not None and not was_full
    once = error.code in _ONCE or (error.code in _ONCE_UNSENT and not failure.sent)
    return once and error.code not in failure.earlier


def _at_once(failure: Failure) -> bool:
    return failure.error.code in _AT_ONCE_UNSENT and not failure.sent


def _after_a_pause(failure: Failure, limits: RetryLimits, chance: float) -> Verdict:
    """Retry after the requested wait plus a random share of a pause that doubles each time; give up if that is too long."""
    if _at_once(failure):
        return Repeat(0.0)
    left = limits.max_wait_s - failure.waited_s
    asked = max(failure.error.retry_after_s or 0.0, failure.pause_s)
    if asked > left:
        return GiveUp()
    backoff = chance * min(_CAP_S, _BASE_S * 2 ** len(failure.earlier))
    delay = round(min(asked + backoff, left), 3)
    # If its time would be up before the next attempt, report the error and not a timeout.
    if failure.time_left_s is not None and delay >= failure.time_left_s:
        return GiveUp()
    return Repeat(delay)
