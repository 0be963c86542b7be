"""How much was asked of a seat lately, and how that ended, from the rows of the ledger's file."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from oneseat._util.time import iso_ms
from oneseat.contract.policy import Lately

_HOUR_S = 3_600.0
_DAY_S = 86_400.0
#: Nobody's threshold is higher; counting stops there, so that a busy ledger costs no more than this.
_MOST = 2_000
#: An overage report without a reset time is believed for so long: the length of the shortest window.
_BELIEVED_S = 18_000.0
#: Longer than any window that is known lasts.
_LONGEST_S = 8 * _DAY_S
#: Runs of the plan, or of the simulator in its place, that were sent or may yet be.
_OF_SEAT = (
    "provider = :provider AND coalesce(paid_from, 'plan') = 'plan' AND coalesce(verdict, '') != 'nothing_sent'"
    " AND coalesce(expected_wallet = 'simulator', :simulated) = :simulated"
)
_GOING_ON = f"SELECT count(*) FROM runs WHERE status = 'running' AND {_OF_SEAT}"  # noqa: S608 - no value is in the text
_BEGUN = f"SELECT created_at FROM runs WHERE created_at >= :day AND {_OF_SEAT} ORDER BY created_at DESC LIMIT {_MOST}"  # noqa: S608 - as above
_LAST_END = f"SELECT error_code, ended_at FROM runs WHERE ended_at IS NOT NULL AND {_OF_SEAT} ORDER BY ended_at DESC LIMIT 1"  # noqa: S608 - as above
#: Of each window, a later report without overage ends it.
_OVERAGE = """
    SELECT max(coalesce(resets_at, last_at + :believed)) FROM limits AS seen
    WHERE provider = :provider AND simulated = :simulated AND overage = 1 AND last_at >= :longest
    AND NOT EXISTS (
        SELECT 1 FROM limits AS later
        WHERE later.provider = seen.provider AND later.simulated = seen.simulated
        AND later.window = seen.window AND later.last_at > seen.last_at AND later.overage = 0
    )
"""


def lately(db: sqlite3.Connection, provider: str, now: float, *, simulated: bool) -> Lately:
    """What is known of a seat's runs; ``now`` is in seconds since 1970. Simulated runs are counted apart."""
    values = {
        "provider": provider,
        "simulated": simulated,
        "day": iso_ms(datetime.fromtimestamp(now - _DAY_S, UTC)),
        "believed": _BELIEVED_S,
        "longest": now - _LONGEST_S,
    }
    begun = [at for (at,) in db.execute(_BEGUN, values)]
    hour = iso_ms(datetime.fromtimestamp(now - _HOUR_S, UTC))
    (going_on,) = db.execute(_GOING_ON, values).fetchone()
    last_error, last_end = db.execute(_LAST_END, values).fetchone() or (None, None)
    (overage_until,) = db.execute(_OVERAGE, values).fetchone()
    return Lately(
        at_once=going_on,
        last_hour=sum(at >= hour for at in begun),
        last_day=len(begun),
        hours=len({at[:13] for at in begun}),
        last_error=last_error,
        last_end=last_end,
        overage_until=overage_until,
    )
