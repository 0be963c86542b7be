"""What was used, added up. Money is US dollars at list price, and ``None`` is unknown."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class UsageSum(msgspec.Struct, frozen=True, kw_only=True):
    """One row, or the total, which has no ``key``. Rows of the view ``blocks`` also say when they end.

    ``at_least`` says that some tokens are a lower bound. ``list_price_usd`` leaves out the ``unpriced_tokens`` of each model.
    ``charged_usd`` and ``saved_usd`` cover ``charge_known_answers`` only. Of the ``web_searches``, the list price leaves out
    ``unpriced_web_searches``.
    """

    key: str | UnsetType = UNSET
    ends_at: str | UnsetType = UNSET
    end_reported: bool | UnsetType = UNSET
    answers: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    at_least: bool
    list_price_usd: float | None
    unpriced_tokens: dict[str, int]
    charged_usd: float | None
    charge_known_answers: int
    saved_usd: float | None
    special_rate_answers: int
    web_searches: int
    unpriced_web_searches: int


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One view of what was used. Days are ISO 8601 in ``time_zone``; ``not_read`` counts what could not be read, by reason."""

    view: str
    time_zone: str
    first_day: str | None
    last_day: str | None
    rows: tuple[UsageSum, ...]
    total: UsageSum
    not_read: dict[str, int]
