"""A usage report as a person reads it, within 80 columns. Imports next to nothing: it answers in the time a shell prompt takes."""

from __future__ import annotations

from oneseat.app.usage import Block, Sum, date_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneseat.app.usage import Key, Report

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
_WIDEST_LABEL = 24
_HALF_A_CENT = 0.005
_BAR = 32
#: What could not be read, as a footnote says it; one and many.
NOTES = {
    "not_json": "a line that is not whole",
    "wrong_shape": "a line whose token counts are not numbers",
    "too_long": "a line over 4 MiB that may hold an answer",
    "unfinished": "a last line that is not finished yet",
    "unreadable": "a file that cannot be opened",
    "closed_folders": "a folder that cannot be opened",
    "links": "a symbolic link, not followed",
    "ledger": "the ledger of oneseat's own runs, which cannot be read",
}


def report_text(report: Report, *, chart: bool = False) -> str:
    """The whole report."""
    rows = rows_of(report)
    if not rows:
        return "\n".join(["No usage found.", *_footnotes(report)])
    table = _chart(rows) if chart else _table(_HEADS[report.view], rows, report.total)
    return "\n".join([title_of(report), "", *table, "", *_money(report), *_footnotes(report)])


def label_of(report: Report, key: Key) -> str:
    """The name of a row: a date, a directory, a model."""
    if report.view in ("daily", "weekly"):
        return "no date" if key is None else date_text(int(key))
    if report.view == "monthly":
        return "no date" if key is None else date_text(int(key))[:7]
    if report.view == "projects":
        return report.directories.get(str(key), str(key)) or "unknown"
    return str(key) or ("none" if report.view in ("keys", "roles", "clients") else "unknown")


def moment_text(report: Report, at_ms: int) -> str:
    """A moment in the report's zone."""
    local = at_ms // 1000 + report.offset_at(at_ms // 1000)
    return f"{date_text(local // 86_400)} {local % 86_400 // 3600:02}:{local % 3600 // 60:02}"


def short(count: int) -> str:
    """A number in at most five characters: 999, 12.3k, 4.56M."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        # What would be rounded up to a thousand of a unit is one of the next.
        if count >= size * 0.9995:
            value = count / size
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{unit}"
    return str(count)


def dollars(value: float | None) -> str:
    """Money; what is not known is said to be so, and what is less than half a cent is not called nothing."""
    if value is None:
        return "unknown"
    return "<$0.01" if 0 < value < _HALF_A_CENT else f"${value:,.2f}"


def rows_of(report: Report) -> list[tuple[str, Sum]]:
    """The rows of any view with their names."""
    if report.view == "blocks":
        return [(_block_label(report, block), block.sum) for block in report.blocks]
    return [(label_of(report, key), found) for key, found in report.rows]


def _block_label(report: Report, block: Block) -> str:
    return f"{moment_text(report, block.begin)}{'' if block.reported else ' guess'}"


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
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = [
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
            ]
        )
        for line in lines
    ]
    rule = "-" * len(texts[0])
    return [texts[0], rule, *texts[1:-1], rule, texts[-1]] if len(rows) > 1 else [texts[0], rule, *texts[1:]]


def _cells(label: str, found: Sum) -> tuple[str, ...]:
    sent, output, read, five, hour = found.tokens
    least = ">" if found.at_least and output else ""
    return (
        clip(label),
        f"{found.answers:,}",
        short(sent),
        least + short(output),
        short(read),
        short(five + hour),
        _price(found),
    )


def _price(found: Sum) -> str:
    if found.unpriced and found.listed is not None:
        return f"{dollars(found.listed)} + ?"
    return dollars(found.listed)


def clip(label: str) -> str:
    """A name within its column, and without what would move the cursor."""
    # The end of a directory tells more than its beginning. What came from a file must not move the cursor.
    clean = "".join(char if char.isprintable() else "\ufffd" for char in label)
    return clean if len(clean) <= _WIDEST_LABEL else f"…{clean[1 - _WIDEST_LABEL :]}"


def _chart(rows: list[tuple[str, Sum]]) -> list[str]:
    """A bar for each row: of its list price, or of its tokens where no price is known at all."""
    priced = any(found.listed for _, found in rows)
    values = [(found.listed or 0.0) if priced else float(sum(found.tokens)) for _, found in rows]
    most = max(values) or 1.0
    width = max(len(clip(label)) for label, _ in rows)
    lines = []
    for (label, found), value in zip(rows, values, strict=True):
        text = _price(found) if priced else f"{short(sum(found.tokens))} tokens"
        lines.append(f"{clip(label).ljust(width)}  {_bar(value / most).ljust(_BAR)}  {text}")
    return lines


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
    # Something that is very little is still something.
    eighths = max(eighths, 1) if share > 0 else 0
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else "▏▎▍▌▋▊▉"[eighths % 8 - 1])


def _money(report: Report) -> list[str]:
    total = report.total
    lines = [f"list price   {_price(total)}"]
    if total.settled:
        lines.append(
            f"charged      {dollars(total.charged)} for {_answers(total.settled)} to oneseat's own runs"
        )
    rest = total.answers - total.settled
    if rest:
        lines.append(
            f"charged      unknown for {_answers(rest)}: of a transcript, or of a run that was cut off"
            if 0 in total.unpriced.values()
            else f"charged      unknown for {_answers(rest)}: a transcript does not say who paid"
        )
    if total.saved is not None:
        lines.append(f"saved        {dollars(total.saved)} by runs that are known to be on the plan")
    return lines


def _footnotes(report: Report) -> list[str]:
    total, lines = report.total, []
    if total.at_least:
        lines.append("> at least: not every version of the CLI writes the final count down.")
    if total.unpriced:
        lines += unpriced(total.unpriced)
    if total.special:
        lines.append(
            f"{_answers(total.special)} at another rate (fast, batch, a region) priced as ordinary ones."
        )
    for reason, count in report.notes.items():
        words = NOTES.get(reason, reason)
        lines.append(f"not read: {words}" + (f" ({count:,} times)" if count > 1 else ""))
    return ["", *lines] if lines else []


def unpriced(found: Mapping[str, int]) -> Iterator[str]:
    """What is said of the tokens of each model that are in no sum of money."""
    most_first = sorted(found.items(), key=lambda one: -one[1])
    names = [f"{clip(model or 'unknown')} ({short(tokens)} tokens)" for model, tokens in most_first if tokens]
    if names:
        yield f"? no price known, in no sum: {', '.join(names)}"
    # A run that was stopped or killed: its model may have a price, and nobody counted its tokens.
    uncounted = [clip(model or "unknown") for model, tokens in most_first if not tokens]
    if uncounted:
        yield f"? tokens not known, in no sum: {', '.join(uncounted)}"


def _answers(count: int) -> str:
    return f"{count:,} answer{'' if count == 1 else 's'}"
