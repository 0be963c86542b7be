"""The real clock: when a day began is a matter of where the machine is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from oneseat.host.clock import SystemClock


@pytest.fixture(params=["UTC0", "AAA+11", "BBB-14", "CCC-5:45"])
def offset(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[timedelta]:
    """Lives in another time zone, whose distance from UTC it is."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield {"U": timedelta(), "A": timedelta(hours=-11), "B": timedelta(hours=14)}.get(
        request.param[0], timedelta(hours=5, minutes=45)
    )
    monkeypatch.undo()
    time.tzset()


def test_the_day_began_at_local_midnight_in_the_form_of_the_ledger(offset: timedelta) -> None:
    clock = SystemClock()
    began, now = clock.since().day, clock.utc_iso()
    assert len(began) == len(now)
    assert began.endswith("Z")
    assert began <= now
    local = datetime.fromisoformat(began) + offset
    assert (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
    assert datetime.now(UTC) - datetime.fromisoformat(began) < timedelta(days=1, seconds=1)


def test_the_month_began_with_the_midnight_of_its_first_day(offset: timedelta) -> None:
    since = SystemClock().since()
    month, day = (datetime.fromisoformat(began) + offset for began in (since.month, since.day))
    assert month <= day
    assert (month.year, month.month, month.day) == (day.year, day.month, 1)
    assert (month.hour, month.minute) == (0, 0)
