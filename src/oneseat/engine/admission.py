"""Waits for the places that runs share, and gives them back."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from oneseat.contract import events
from oneseat.contract.events import Batch, Progress
from oneseat.contract.ports import Slot

from .watchdog import Watchdog

#: What comes from the model: the vendor has taken the login of this process, be it the old one or a new one.
_FROM_THE_MODEL = (
    events.TextDelta,
    events.ThinkingDelta,
    events.Message,
    events.ToolCall,
    events.UsageSeen,
    events.LimitSeen,
    events.TurnEnded,
)


async def admitted(place: Slot, watchdog: Watchdog) -> AsyncGenerator[Batch, None]:
    """Say that the run waits, if it does, and end when it may go on."""
    if not place.taken:
        yield (Progress(state="queued"),)
        await watchdog.idle(place.wait())


def let_others_start(place: Slot, batch: Batch) -> None:
    """Free the lane of renewals as soon as the model is heard."""
    if any(isinstance(event, _FROM_THE_MODEL) for event in batch):
        place.release()


class _Free:
    """A place that need not be waited for, where nothing is shared."""

    taken = True

    async def wait(self) -> None:
        """Return at once."""

    def release(self) -> None:
        """Do nothing."""


FREE: Slot = _Free()
