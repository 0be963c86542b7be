"""The circuit breaker of a candidate: after consecutive failures it is skipped for a while, then one run tries it again."""

from __future__ import annotations

from collections.abc import Sequence

from oneseat.contract.routing import Outcome
from oneseat.rules.runs.retry import PASSING

#: How many consecutive failures open it.
FAILURES = 3
#: How long it stays open after the last failure, and at most, in seconds; each further failure doubles the time.
_FIRST_S, _LONGEST_S = 60.0, 900.0
#: Older outcomes are ignored; in seconds.
REMEMBERED_S = 3600.0


def open_until(outcomes: Sequence[Outcome]) -> float | None:
    """Until when a candidate with these outcomes (newest last) is skipped; ``None`` when it is not.

    Only failures of the vendor count: a full window has its own reset time, and an invalid request is not an outage.
    """
    failures = 0
    for outcome in reversed(outcomes):
        if outcome.code not in PASSING:
            break
        failures += 1
    if failures < FAILURES:
        return None
    closed_s: float = _FIRST_S * 2 ** (failures - FAILURES)
    return outcomes[-1].at + min(_LONGEST_S, closed_s)
