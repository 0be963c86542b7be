"""A reported usage window, one row of a history. Standard library only: status bars load it."""

from __future__ import annotations

from typing import NamedTuple


class SeenLimit(NamedTuple):
    """What one source said of one window, unchanged from ``first_at`` to ``last_at``. Moments are seconds since 1970.

    ``used`` is a share, 1 is full. ``overage`` true means that extra, paid usage was being spent. ``None`` is not said.
    """

    window: str
    status: str
    used: float | None
    resets_at: float | None
    source: str
    overage: bool | None
    first_at: float
    last_at: float
