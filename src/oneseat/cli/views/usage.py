"""Usage as a person reads it, within 80 columns. Imports next to nothing: it answers while a shell draws its prompt."""

from __future__ import annotations

from oneseat.app.usage import Block, Sum, date_text

from .numbers import short, usd
from .table import clip, plural, table

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
#: Why something was not read.
_NOT_READ = {
    "not_json": "an incomplete line",
    "wrong_shape": "a line whose token counts are not numbers",
    "too_long": "a line over 4 MiB that may hold an answer",
    "unfinished": "a last line that is still being written",
    "unreadable": "a file that cannot be opened",
    "closed_folders": "a folder that cannot be opened",
    "ledger_rows": "an entry of the ledger that is not as oneseat writes it",
    "links": "a symbolic link, not followed",
    "ledger": "the ledger of oneseat's own runs, which cannot be read",
}


def report_text(report: Report, *, chart: bool = False) -> str:
    """The whole report."""
    rows = rows_of(report)
    if not rows:
        return "\n".join(["No usage found.", *_footnotes(report)])
    shown = _chart(rows) if chart else _table(_HEADS[report.view], rows, report.total)
    return "\n".join([title_of(report), "", *shown, "", *_money(report), *_footnotes(report)])


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
    lines: list[tuple[str, ...]] = [(head, "answers", "input", "output", "cached", "written", "list price")]
    lines += [_cells(label, found) for label, found in rows]
    if len(rows) > 1:
        lines.append(_cells("total", total))
    first, *texts = table(lines, right=range(1, 7))
    rule = "-" * max(map(len, (first, *texts)))
    return [first, rule, *texts[:-1], rule, texts[-1]] if len(rows) > 1 else [first, rule, *texts]


def _cells(label: str, found: Sum) -> tuple[str, ...]:
    sent, output, read, five, hour = found.tokens
    least = ">" if found.at_least and output else ""
    return (
        clip(label, end=True),
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
    return table(
        [
            (
                clip(label, end=True),
                _bar(value / most).ljust(_BAR),
                _price(found) if priced else f"{short(sum(found.tokens))} tokens",
            )
            for (label, found), value in zip(rows, values, strict=True)
        ]
    )


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
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


def not_read(counts: Mapping[str, int]) -> Iterator[str]:
    """What could not be read, by reason."""
    for reason, count in counts.items():
        times = f" ({count:,} times)" if count > 1 else ""
        yield f"not read: {_NOT_READ.get(reason, reason)}{times}"


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
