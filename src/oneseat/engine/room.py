"""The part of the plan's windows that automation leaves to the person: looked at before a run begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import LimitNear
from oneseat.contract.ports import LimitHistory, Provider
from oneseat.contract.request import Permitted, Refused
from oneseat.rules.limits import pausing


class Room(NamedTuple):
    """``pause_at`` is the share in percent from which on runs are paused, if they are; ``now`` tells seconds since 1970."""

    history: LimitHistory
    pause_at: int | None
    now: Callable[[], float]


async def room_for(room: Room, permitted: Permitted, provider: Provider) -> Refused | LimitNear | None:
    """A refusal of a run that has to wait for a window's reset, or a warning. Raises ``UsageError`` for a ledger that fails."""
    if room.pause_at is None:
        return None
    request, now = permitted.request, room.now()
    seen = await room.history.limits(provider.name, now, simulated=provider.wallet == "simulator")
    model = request.model or provider.default_model
    found = pausing.decide(seen, room.pause_at, model, now, over_limit=request.over_limit)
    return Refused(error=found, policy=permitted.policy) if isinstance(found, ErrorInfo) else found
