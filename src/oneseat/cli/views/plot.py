"""A usage report as an SVG picture: bars with axes and labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from oneseat.app.usage import Sum

from .numbers import short, usd
from .table import clip

_HEIGHT, _TOP, _BOTTOM, _LEFT, _RIGHT = 420, 64, 96, 72, 24
_BAR, _LEAST_WIDTH, _MOST_LABELS = 26, 480, 24
#: In a tooltip, a name is shown whole as far as anybody would read it.
_LONGEST_NAME = 200
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:16px;font-weight:600}.axis{stroke:#999}"
    ".grid{stroke:#e5e5e5}.bar{fill:#2f6f9f}svg{background:#fff}"
)


class Plot(NamedTuple):
    """The bars with their names, values and tooltips; ``money`` says that values are US dollars."""

    title: str
    subtitle: str
    names: Sequence[str]
    values: Sequence[float]
    notes: Sequence[str]
    money: bool


def plot_of(title: str, rows: Sequence[tuple[str, Sum]]) -> Plot:
    """The list price of each row, or its tokens where no price is known at all."""
    money = any(found.listed for _, found in rows)
    values = [(found.listed or 0.0) if money else float(sum(found.tokens)) for _, found in rows]
    unpriced = sum(sum(found.unpriced.values()) for _, found in rows)
    subtitle = "list price in US dollars" if money else "tokens"
    if money and unpriced:
        subtitle += f"; {short(unpriced)} tokens of models without a known price are not in it"
    notes = [f"{usd(found.listed)}, {sum(found.tokens):,} tokens" for _, found in rows]
    return Plot(title, subtitle, [name for name, _ in rows], values, notes, money)


def svg(plot: Plot) -> str:
    """The picture."""
    width = max(_LEAST_WIDTH, _LEFT + _RIGHT + _BAR * len(plot.values))
    most, step = _scale(max(plot.values, default=0.0))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}" role="img">',
        f"<title>{escape(plot.title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="{_LEFT}" y="26">{escape(plot.title)}</text>',
        f'<text x="{_LEFT}" y="46">{escape(plot.subtitle)}</text>',
        *_grid(plot, width, most, step),
        *_bars(plot, most),
        f'<line class="axis" x1="{_LEFT}" y1="{_y(0, most)}" x2="{width - _RIGHT}" y2="{_y(0, most)}"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(plot: Plot, width: int, most: float, step: float) -> Iterator[str]:
    for number in range(round(most / step) + 1):
        y, value = _y(number * step, most), number * step
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{width - _RIGHT}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{usd(value) if plot.money else short(round(value))}</text>'


def _bars(plot: Plot, most: float) -> Iterator[str]:
    every = math.ceil(len(plot.names) / _MOST_LABELS)
    for number, (name, value, note) in enumerate(zip(plot.names, plot.values, plot.notes, strict=True)):
        x, y = _LEFT + number * _BAR + 4, _y(value, most)
        shown = escape(clip(name, _LONGEST_NAME, end=True))
        yield (
            f'<rect class="bar" x="{x}" y="{y}" width="{_BAR - 8}" height="{_y(0, most) - y}">'
            f"<title>{shown}: {escape(note)}</title></rect>"
        )
        if number % every == 0:
            at = f"{x + 9} {_HEIGHT - _BOTTOM + 16}"
            label = escape(clip(name, 16, end=True))
            yield f'<text transform="translate({at}) rotate(-45)" text-anchor="end">{label}</text>'


def _y(value: float, most: float) -> int:
    return round(_HEIGHT - _BOTTOM - value / most * (_HEIGHT - _BOTTOM - _TOP))


def _scale(most: float) -> tuple[float, float]:
    """The end of the axis and the step between its lines: 1, 2 or 5 of some power of ten."""
    if most <= 0:
        return 1.0, 1.0
    rough = most / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return math.ceil(most / step) * step, step
