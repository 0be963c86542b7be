"""The circuit breaker of a candidate: after failures in a row it is left alone for a while, then one run tries it again."""

from __future__ import annotations

from collections.abc import Sequence

from oneseat.contract.routing import Outcome
from oneseat.rules.runs.retry import PASSING

#: So many failures in a row open it.
FAILURES = 3
#: How long it stays open after the last of them; each further failure doubles it. In seconds.
_FIRST_S, _LONGEST_S = 60.0, 900.0
#: Older ends say nothing of now; in seconds.
REMEMBERED_S = 3600.0


def open_until(outcomes: Sequence[Outcome]) -> float | None:
    """Until when a candidate with these ends, the newest last, is left alone; ``None`` when it is not.

    Only what the vendor is to blame for counts: a full window has a reset of its own, and a bad request is nobody's outage.
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
