"""What a provider says of waiting processes when it starts none."""

from __future__ import annotations

import asyncio

from oneseat.contract.warm import WarmProcess


class NothingAhead:
    """Part of a ``Provider`` that starts nothing ahead."""

    @property
    def idle(self) -> tuple[WarmProcess, ...]:
        """Nothing is started ahead."""
        return ()

    async def idle_change(self) -> None:
        """Wait for ever: nothing is started ahead."""
        await asyncio.Event().wait()
