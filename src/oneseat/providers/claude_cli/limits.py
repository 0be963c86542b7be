"""What the official CLI answers to `get_usage` about the plan's windows. An experimental answer: only what is understood counts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from oneseat.contract.receipt import LimitReading, share_or_none

_SOURCE = "get_usage"
_EXTRA = "extra_usage"
_BY_MODEL = "model_scoped"


def limits_of(
    answer: Mapping[str, Any], read_at: str, redact: Callable[[str], str]
) -> tuple[LimitReading, ...]:
    """The windows it names, each with its share; none where the CLI knows of none, as before the first message of a process.

    ``read_at`` is ISO 8601 UTC; ``redact`` cleans the names, which are the vendor's.
    """
    named = answer.get("rate_limits")
    if not isinstance(named, dict):
        return ()
    return tuple(
        LimitReading(
            window=redact(window),
            status=status,
            used=_share(fields.get("utilization")),
            resets_at=_moment(fields.get("resets_at")),
            source=_SOURCE,
            read_at=read_at,
        )
        for window, status, fields in _windows(named)
    )


def _windows(named: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for name, fields in named.items():
        if name == _BY_MODEL:
            for of_model in fields if isinstance(fields, list) else ():
                if isinstance(of_model, dict) and isinstance(label := of_model.get("display_name"), str):
                    yield (
                        f"seven_day_{re.sub(r'[^a-z0-9]+', '_', label.lower()).strip('_')}",
                        "reported",
                        of_model,
                    )
        elif isinstance(fields, dict) and name == _EXTRA:
            yield name, "enabled" if fields.get("is_enabled") is True else "disabled", fields
        elif isinstance(fields, dict) and "utilization" in fields:
            yield name, "reported", fields


def _share(percent: object) -> float | None:
    # A moment has been seen where a percentage belongs: what cannot be one is not known.
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not math.isfinite(percent):
        return None
    return share_or_none(percent / 100)


def _moment(stamp: object) -> str | None:
    try:
        return stamp if isinstance(stamp, str) and datetime.fromisoformat(stamp).tzinfo is not None else None
    except ValueError:
        return None
