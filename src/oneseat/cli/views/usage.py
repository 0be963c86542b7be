"""Usage as a person reads it, within 80 columns. Imports next to nothing: it answers while a shell draws its prompt."""

from __future__ import annotations

from oneseat.app.usage import Block, Sum, date_text
from oneseat.cli.screen import terminal_columns

from .footnotes import not_read
from .numbers import short, usd
from .table import clip, plural, table, width_of
from .text import fitting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneseat.app.usage import Report

_HEADS = {
    "daily": "day",
    "weekly": "week from",
    "monthly": "month",
    "sessions": "session",
    "projects": "project",
    "models": "model",
    "wallets": "wallet",
    "keys": "key",
    "roles": "role",
    "clients": "client",
    "blocks": "five hours from",
}
_BAR = 32


def report_text(report: Report, *, chart: bool = False, none: str = "No usage found.") -> str:
    """The whole report; ``none`` is said where there is nothing to report."""
    rows = rows_of(report)
    if not rows:
        return "\n".join([none, *_footnotes(report)])
    shown = _chart(rows) if chart else _table(_HEADS[report.view], rows, report.total)
    below = [piece for line in (*_money(report), *_footnotes(report)) for piece in fitting(line) or [""]]
    return "\n".join([*fitting(title_of(report)), "", *shown, "", *below])


def rows_of(report: Report) -> list[tuple[str, Sum]]:
    """The rows of any view with their names."""
    if report.view == "blocks":
        return [(_block_label(report, block), block.sum) for block in report.blocks]
    return [(report.label(key), found) for key, found in report.rows]


def _block_label(report: Report, block: Block) -> str:
    local = block.begin // 1000 + report.offset_at(block.begin // 1000)
    begin = f"{date_text(local // 86_400)} {local % 86_400 // 3600:02}:{local % 3600 // 60:02}"
    return begin if block.reported else f"{begin} guess"


def title_of(report: Report) -> str:
    """What the report is about."""
    words = _HEADS[report.view].removesuffix(" from")
    span = ""
    if report.first is not None and report.last is not None:
        span = f", {date_text(report.first)} to {date_text(report.last)}"
    return f"Usage by {words}{span} ({report.zone})"


def _table(head: str, rows: list[tuple[str, Sum]], total: Sum) -> list[str]:
    names = (head, "answers", "input", "output", "cached", "written", "list price")
    lines: list[tuple[str, ...] | None] = [names, None, *(_cells(label, found) for label, found in rows)]
    if len(rows) > 1:
        lines += [None, _cells("total", total)]
    return table(lines, right=range(1, 7), head=True)


def _cells(label: str, found: Sum) -> tuple[str, ...]:
    sent, output, read, five, hour = found.tokens
    least = ">" if found.at_least and output else ""
    return (
        label,
        f"{found.answers:,}",
        short(sent),
        least + short(output),
        short(read),
        short(five + hour),
        _price(found),
    )


def _price(found: Sum) -> str:
    return f"{usd(found.listed)} + ?" if found.unpriced and found.listed is not None else usd(found.listed)


def _chart(rows: list[tuple[str, Sum]]) -> list[str]:
    """A bar for each row: its list price, or its tokens where no price is known at all."""
    priced = any(found.listed for _, found in rows)
    values = [(found.listed or 0.0) if priced else float(sum(found.tokens)) for _, found in rows]
    most = max(values) or 1.0
    names = [label for label, _ in rows]
    costs = [_price(found) if priced else f"{short(sum(found.tokens))} tokens" for _, found in rows]
    widest = _bar_width(names, costs)
    bars = [_bar(value / most, widest).ljust(widest) for value in values]
    return table(list(zip(names, bars, costs, strict=True)))


def _bar_width(names: list[str], costs: list[str]) -> int:
    """Shorter bars on a terminal that has no room for the usual ones beside their names and values."""
    columns = terminal_columns()
    if columns is None:
        return _BAR
    name = min(max(map(width_of, names)), columns // 3)
    return max(min(columns - name - max(map(len, costs)) - 4, _BAR), _BAR // 4)


def _bar(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    # Very little is still more than nothing.
    eighths = max(eighths, 1) if share > 0 else 0
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else "▏▎▍▌▋▊▉"[eighths % 8 - 1])


def _money(report: Report) -> list[str]:
    total = report.total
    lines = [f"list price   {_price(total)}"]
    if total.settled:
        lines.append(
            f"charged      {usd(total.charged)} for {plural(total.settled, 'answer')} to oneseat's own runs"
        )
    rest = total.answers - total.settled
    if rest:
        why = (
            "from a transcript, or from a run that was cut off"
            if 0 in total.unpriced.values()
            else "a transcript does not say who paid"
        )
        lines.append(f"charged      unknown for {plural(rest, 'answer')}: {why}")
    if total.saved is not None:
        lines.append(f"saved        {usd(total.saved)} by runs that are known to be on the plan")
    return lines


def _footnotes(report: Report) -> list[str]:
    total, lines = report.total, []
    if total.at_least:
        lines.append("> at least: some versions of the CLI do not record the final count.")
    if total.unpriced:
        lines += unpriced(total.unpriced)
    if total.special:
        lines.append(
            f"{plural(total.special, 'answer')} at a special rate (fast, batch, a region), priced at the usual rate."
        )
    if total.unpriced_searches:
        lines.append(
            f"? no price known, in no sum: {total.unpriced_searches:,} web search"
            + ("" if total.unpriced_searches == 1 else "es")
        )
    lines += not_read(report.notes)
    return ["", *lines] if lines else []


def unpriced(found: Mapping[str, int]) -> Iterator[str]:
    """The tokens of each model that are in no sum of money."""
    most_first = sorted(found.items(), key=lambda one: -one[1])
    names = [f"{clip(model or 'unknown')} ({short(tokens)} tokens)" for model, tokens in most_first if tokens]
    if names:
        yield f"? no price known, in no sum: {', '.join(names)}"
    # A run that was stopped or killed: its model may have a price, but its tokens were not counted.
    uncounted = [clip(model or "unknown") for model, tokens in most_first if not tokens]
    if uncounted:
        yield f"? tokens unknown, in no sum: {', '.join(uncounted)}"
