"""Money and token counts. Imports nothing that takes time, as `oneseat usage` needs it."""

from __future__ import annotations

_SMALLEST = 0.0001
_CENT = 0.01


def usd(value: float | None) -> str:
    """US dollars: to the cent, below one cent to a hundredth of it, and never zero for what costs something."""
    if value is None:
        return "unknown"
    if 0 < value < _SMALLEST:
        return f"<${_SMALLEST:.4f}"
    return f"${value:,.4f}" if 0 < value < _CENT else f"${value:,.2f}"


def usd_about(value: float | None, *, at_least: bool = False) -> str:
    """US dollars of an estimate, to two digits: more would be made up."""
    if value is None:
        return "unknown"
    sign = ">" if at_least else ""
    if value < 0.005:
        return f"{sign}$0" if value == 0 else "<$0.01"
    if value < 10:
        return f"{sign}${value:.2f}" if value < 1 else f"{sign}${value:.1f}"
    return f"{sign}${round(value, 2 - len(str(int(value)))):,.0f}"


def short(count: int) -> str:
    """A count in at most five characters: 999, 12.3k, 4.56M."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        # What would be rounded up to a thousand of a unit is one of the next.
        if count >= size * 0.9995:
            value = count / size
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{unit}"
    return str(count)


def whole_percent(share: float) -> int:
    """A share from 0 to 1 in percent, cut and not rounded: 99.6 is not yet full."""
    # 0.29 * 100 is 28.999…
    return int(round(share * 100, 6))


def percent(share: float) -> str:
    """A share from 0 to 1 as ``29 %``."""
    return f"{whole_percent(share)} %"
