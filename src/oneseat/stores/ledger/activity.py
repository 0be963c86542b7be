"""How busy a seat was in the last day, and how its last run ended, from the ledger's rows."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from oneseat._util.time import iso_ms
from oneseat.contract.policy import RecentActivity

_HOUR_S = 3_600.0
_DAY_S = 86_400.0
#: Counting stops here, so that a large ledger stays fast. No policy threshold is higher.
_MOST = 2_000
#: How long an overage report without a reset time holds: the length of the shortest window.
_OVERAGE_S = 18_000.0
#: Longer than any known window.
_LONGEST_S = 8 * _DAY_S
#: Runs on the plan, or on the simulator in its place, whose prompt was sent or may still be.
_OF_SEAT = (
    "provider = :provider AND coalesce(paid_from, 'plan') = 'plan' AND coalesce(verdict, '') != 'nothing_sent'"
    " AND coalesce(expected_wallet = 'simulator', :simulated) = :simulated"
)
_RUNNING = f"SELECT count(*) FROM runs WHERE status = 'running' AND {_OF_SEAT}"  # noqa: S608 - no value is in the text
_STARTED = f"SELECT created_at FROM runs WHERE created_at >= :day AND {_OF_SEAT} ORDER BY created_at DESC LIMIT {_MOST}"  # noqa: S608 - as above
_LAST_END = f"SELECT error_code, ended_at FROM runs WHERE ended_at IS NOT NULL AND {_OF_SEAT} ORDER BY ended_at DESC LIMIT 1"  # noqa: S608 - as above
#: A later report of the same window without overage ends it.
_OVERAGE = """
    SELECT max(coalesce(resets_at, last_at + :overage_s)) FROM limits AS seen
    WHERE provider = :provider AND simulated = :simulated AND overage = 1 AND last_at >= :longest
    AND NOT EXISTS (
        SELECT 1 FROM limits AS later
        WHERE later.provider = seen.provider AND later.simulated = seen.simulated
        AND later.window = seen.window AND later.last_at > seen.last_at AND later.overage = 0
    )
"""


def recent(db: sqlite3.Connection, provider: str, now: float, *, simulated: bool) -> RecentActivity:
    """A seat's recent runs; ``now`` is in seconds since 1970. Simulated and real runs are counted apart."""
    values = {
        "provider": provider,
        "simulated": simulated,
        "day": iso_ms(datetime.fromtimestamp(now - _DAY_S, UTC)),
        "overage_s": _OVERAGE_S,
        "longest": now - _LONGEST_S,
    }
    started = [at for (at,) in db.execute(_STARTED, values)]
    hour = iso_ms(datetime.fromtimestamp(now - _HOUR_S, UTC))
    (running,) = db.execute(_RUNNING, values).fetchone()
    last_error, last_end = db.execute(_LAST_END, values).fetchone() or (None, None)
    (overage_until,) = db.execute(_OVERAGE, values).fetchone()
    return RecentActivity(
        at_once=running,
        last_hour=sum(at >= hour for at in started),
        last_day=len(started),
        hours=len({at[:13] for at in started}),
        last_error=last_error,
        last_end=last_end,
        overage_until=overage_until,
    )
