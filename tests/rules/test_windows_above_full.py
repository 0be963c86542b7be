"""Windows of which more is used than they hold: they are full, and pause."""

from __future__ import annotations

import pytest

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.history import SeenLimit
from oneseat.contract.receipt import share_or_none
from oneseat.providers.codex_cli import wire
from oneseat.providers.codex_cli.limits import readings
from oneseat.rules.limits.pausing import decide
from oneseat.rules.limits.windows import forecast, windows

NOW = 1_795_190_000.0


def seen(used: float | None) -> SeenLimit:
    return SeenLimit(
        window="five_hour",
        status="allowed_warning",
        used=used,
        resets_at=NOW + 7200,
        source="rate_limit_event",
        overage=False,
        first_at=NOW - 60,
        last_at=NOW - 60,
    )


@pytest.mark.parametrize("used", [1.0, 1.0000001, 1.01, 1.04, 2.5, 100.0])
def test_a_window_above_full_pauses(used: float) -> None:
    row = seen(share_or_none(used))
    paused = decide([row], 80, "claude-sonnet-5-5", NOW, over_limit=False)
    assert isinstance(paused, ErrorInfo)
    assert paused.code == "limit.paused"
    assert windows([row], NOW)[0].share == pytest.approx(used, abs=1e-6)
    assert forecast([row], 7200, NOW).why == "full"


@pytest.mark.parametrize("used", [None, -0.01, 1_795_176_316.0, float("inf"), float("nan")])
def test_what_is_no_share_is_unknown(used: float | None) -> None:
    assert share_or_none(used) is None


@pytest.mark.parametrize("percent", [100.5, 101.0, 250.0])
def test_a_window_of_codex_above_full_has_its_share(percent: float) -> None:
    limits = wire.RateLimits(primary=wire.Window(used_percent=percent, window_duration_mins=300))
    (found,) = readings(limits, "rateLimits", "2026-11-20T12:00:00Z")
    assert (found.status, found.used) == ("rejected", percent / 100)
