"""Pauses runs while a usage window is so full that the rest is reserved for the owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import LimitNear
from oneseat.contract.ports import LimitHistory, Provider
from oneseat.contract.stations import Permitted, Refused
from oneseat.rules.limits import pausing


class WindowGuard(NamedTuple):
    """Reads the state of usage windows. ``pause_at`` is the percentage at which runs pause; ``now`` returns seconds since 1970."""

    history: LimitHistory
    pause_at: int | None
    now: Callable[[], float]


async def check_windows(
    guard: WindowGuard, permitted: Permitted, provider: Provider
) -> Refused | LimitNear | None:
    """Refuse a run that must wait for a window's reset, or warn before that. Raises ``UsageError`` when the ledger fails."""
    if guard.pause_at is None:
        return None
    request, now = permitted.request, guard.now()
    seen = await guard.history.limits(provider.name, now, simulated=provider.wallet == "simulator")
    model = request.model or provider.default_model
    found = pausing.decide(seen, guard.pause_at, model, now, over_limit=request.over_limit)
    return Refused(error=found, policy=permitted.policy) if isinstance(found, ErrorInfo) else found
