"""Runs and conversations as text: one whole, and lists of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

import msgspec

from oneseat.cli.screen import styled, terminal_columns
from oneseat.contract.history import RunSummary, StoredEvent
from oneseat.contract.receipt import Receipt
from oneseat.contract.reports.runs import RunList, RunReport, SessionList, SessionReport
from oneseat.contract.sessions import Session

from .footnotes import not_read
from .numbers import percent, usd
from .receipt import cost_text, tokens_text, verdict_text
from .table import clip, plural, table, width_of
from .text import fitting, wrapped
from .timefmt import local_time

_CUT = 160
#: Where the values of a run stand, behind their names.
_TEXT_AT = 13
#: Neither a success nor a failure.
_OPEN = frozenset({"running", "cancelled"})
_PREVIEW = 44
_WIDTH = 100
_WHEN = {"before": "before sending", "during": "while it ran", "after": "with the result"}


def list_text(report: RunList) -> str:
    """One run a line, or three where the terminal is narrow."""
    rows = [("run", "when", "status", "wallet", "model", "list price", "took"), *map(_row, report.runs)]
    columns = terminal_columns()
    taken = sum(max(map(width_of, column)) + 2 for column in zip(*rows, strict=True))
    room = _PREVIEW if columns is None else columns - taken
    if columns is not None and room < _PREVIEW // 2:
        pairs = zip(rows[1:], report.runs, strict=True)
        lines = [line for row, run in pairs for line in _entry(row, _prompt(run, columns - 2))]
    else:
        prompts = ["prompt", *(_prompt(run, room) for run in report.runs)]
        lines = table([(*row, prompt) for row, prompt in zip(rows, prompts, strict=True)], head=True)
    return "\n".join([*lines, *not_read(report.not_read)])


def _prompt(run: RunSummary, room: int) -> str:
    return clip(run.prompt_preview or f"{run.prompt_bytes} bytes", room)


def _entry(row: Sequence[str], prompt: str) -> list[str]:
    run, when, status, *rest = row
    named = [cell for cell in rest if cell != "-"]
    return [
        *wrapped(f"{styled(run, 'strong')}  {when}  {status}", "  ", ""),
        *wrapped(" · ".join(named), "  "),
        f"  {prompt}",
    ]


def run_text(report: RunReport) -> str:
    """One run with its receipt, its events and its answer."""
    return "\n".join(_lines(report))


def sessions_text(report: SessionList) -> str:
    """One conversation a line."""
    rows: list[tuple[str, ...]] = [("project", "messages", "last used", "state", "id", "directory")]
    for session in report.sessions:
        last = local_time(session.used_at)
        rows.append((session.project, str(session.messages), last, _state(session), session.id, session.cwd))
    return "\n".join([*table(rows, head=True), *not_read(report.not_read)])


def session_text(report: SessionReport) -> str:
    """One conversation and its runs."""
    session = report.session
    return "\n".join(
        [
            f"session {session.id} · project {session.project} · {_state(session)}",
            f"  directory  {session.cwd}",
            f"  wallet     {session.wallet}",
            f"  began      {local_time(session.created_at)}, last used {local_time(session.used_at)}",
            f"  messages   {session.messages}",
            *(
                f"  run {run.id}  {local_time(run.created_at)}  {run.error_code or run.status}"
                for run in report.runs
            ),
            *not_read(report.not_read),
        ]
    )


def _row(run: RunSummary) -> tuple[str, ...]:
    wallet = f"{run.wallet} ({run.verdict.replace('_', ' ')})" if run.wallet and run.verdict else "-"
    price = usd(run.equivalent_cost_usd) if run.equivalent_cost_usd is not None else "-"
    took = f"{run.duration_ms / 1000:.1f} s" if run.duration_ms is not None else "-"
    return run.id, local_time(run.created_at), _status(run), wallet, run.model or "-", price, took


def _status(run: RunSummary) -> str:
    word = run.error_code or run.status
    return word if run.status == "completed" else styled(word, "doubtful" if run.status in _OPEN else "bad")


def _state(session: Session) -> str:
    return "live" if session.ended_at is None else f"ended ({(session.end_reason or '').replace('_', ' ')})"


def _lines(report: RunReport) -> Iterator[str]:
    run, result = report.run, report.result
    # The ledger keeps the beginning of a prompt exactly where it keeps texts.
    text_kept = run.prompt_preview is not None
    yield f"{styled(f'run {run.id}', 'strong')} · {run.status} · {local_time(run.created_at)}"
    for part in report.damaged or ():
        yield f"  {styled('damaged', 'bad')}    {part}"
    yield from fitting(f"  directory  {run.cwd}", " " * _TEXT_AT)
    yield f"  prompt     {run.prompt_bytes:,} bytes: {clip(run.prompt_preview or '(not kept)', _page(_CUT + 26) - 26)}"
    if result is not None:
        if result.error is not None:
            what, *why = result.error.message.splitlines()
            yield f"  {styled('error', 'bad')}      {what} ({result.error.code})"
            yield from (f"             {line.strip()}" for line in why)
        yield from (piece for line in _receipt(result.receipt) for piece in fitting(line, " " * _TEXT_AT))
    if report.policy_inputs is not None:
        yield styled("policy inputs", "strong")
        inputs = ", ".join(
            f"{name}={'unknown' if value is None else value}" for name, value in report.policy_inputs.items()
        )
        yield from (f"  {line}" for line in wrap(inputs, _page(_WIDTH + 2) - 2, break_on_hyphens=False))
    yield styled("events", "strong")
    yield from map(_event, report.events)
    if result is not None:
        # Last, next to the prompt of the shell, and whole.
        yield styled("answer" if result.text or not text_kept else "no answer", "strong")
        yield from (f"  {line}" for line in (result.text if text_kept else "(not kept)").splitlines())


def _event(event: StoredEvent) -> str:
    rest = {name: value for name, value in event.event.items() if name not in ("type", "result")}
    moment = local_time(event.at, "milliseconds")[11:]
    kind = event.event.get("type", "?")
    begin = f"  {event.seq:>4}  {moment}  {kind:<16} "
    if _page(_CUT) < 2 * len(begin):
        begin = f"  {event.seq:>4}  {kind} "
    room = _page(_CUT + len(begin)) - len(begin)
    return f"{begin}{clip(msgspec.json.encode(rest).decode(), max(room, 1))}"


def _page(width: int) -> int:
    """``width``, or that of a narrower terminal."""
    return min(terminal_columns() or width, width)


def _receipt(receipt: Receipt) -> Iterator[str]:
    yield styled("receipt", "strong")
    yield f"  wallet     {receipt.wallet}, expected {receipt.expected_wallet}: {verdict_text(receipt)}"
    yield f"  provider   {receipt.provider} {receipt.cli_version or ''}, model {receipt.model or 'none'}"
    yield f"  tokens     {tokens_text(receipt.usage)}"
    yield f"  money      {cost_text(receipt)}"
    yield f"  time       {receipt.duration_ms / 1000:.2f} s, {plural(receipt.attempts, 'attempt')}"
    if receipt.policy is not None:
        word = f", confirmed {local_time(receipt.policy.confirmed)}" if receipt.policy.confirmed else ""
        yield f"  policy     {receipt.policy.tier}, rule {receipt.policy.rule}, pack {receipt.policy.pack}{word}"
    for limit in receipt.limits:
        used = f"{percent(limit.used)} used" if limit.used is not None else "usage unknown"
        resets = f", resets {local_time(limit.resets_at)}" if limit.resets_at else ""
        yield f"  limit      {limit.window}: {limit.status}, {used}{resets}"
    yield styled("evidence", "strong")
    rows = [(each.what, _value(each.value), _WHEN[each.when]) for each in receipt.evidence]
    yield from (f"  {line}" for line in table(rows, indent=2)) if rows else ()


def _value(value: str | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not reported" if value is None else value
