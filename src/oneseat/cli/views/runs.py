"""Runs and conversations as text: one whole, and lists of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

import msgspec

from oneseat.contract.history import RunSummary, StoredEvent
from oneseat.contract.receipt import Receipt
from oneseat.contract.reports.runs import RunReport, SessionReport
from oneseat.contract.sessions import Session

from .numbers import percent, usd
from .receipt import cost_text, tokens_text
from .table import clip, plural, table
from .timefmt import local_time

_CUT = 160
_PREVIEW = 44
_WIDTH = 100
_WHEN = {"before": "before sending", "during": "while it ran", "after": "with the result"}


def list_text(runs: Sequence[RunSummary]) -> str:
    """One run a line."""
    head = ("run", "when", "status", "wallet", "model", "list price", "took", "prompt")
    return "\n".join(table([head, *map(_row, runs)]))


def run_text(report: RunReport) -> str:
    """One run with its receipt, its events and its answer."""
    return "\n".join(_lines(report))


def sessions_text(sessions: Sequence[Session]) -> str:
    """One conversation a line."""
    rows: list[tuple[str, ...]] = [("project", "messages", "last used", "state", "id", "directory")]
    for session in sessions:
        last = local_time(session.used_at)
        rows.append((session.project, str(session.messages), last, _state(session), session.id, session.cwd))
    return "\n".join(table(rows))


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
        ]
    )


def _row(run: RunSummary) -> tuple[str, ...]:
    wallet = f"{run.wallet} ({run.verdict.replace('_', ' ')})" if run.wallet and run.verdict else "-"
    price = usd(run.equivalent_cost_usd) if run.equivalent_cost_usd is not None else "-"
    took = f"{run.duration_ms / 1000:.1f} s" if run.duration_ms is not None else "-"
    status = run.error_code or run.status
    preview = clip(run.prompt_preview or f"{run.prompt_bytes} bytes", _PREVIEW)
    return run.id, local_time(run.created_at), status, wallet, run.model or "-", price, took, preview


def _state(session: Session) -> str:
    return "live" if session.ended_at is None else f"ended ({(session.end_reason or '').replace('_', ' ')})"


def _lines(report: RunReport) -> Iterator[str]:
    run, result = report.run, report.result
    # The ledger keeps the beginning of a prompt exactly where it keeps texts.
    text_kept = run.prompt_preview is not None
    yield f"run {run.id} · {run.status} · {local_time(run.created_at)}"
    yield f"  directory  {run.cwd}"
    yield f"  prompt     {run.prompt_bytes:,} bytes: {clip(run.prompt_preview or '(not kept)', _CUT)}"
    if result is not None:
        if result.error is not None:
            what, *why = result.error.message.splitlines()
            yield f"  error      {what} ({result.error.code})"
            yield from (f"             {line.strip()}" for line in why)
        yield from _receipt(result.receipt)
    if report.policy_inputs is not None:
        yield "policy inputs"
        inputs = ", ".join(
            f"{name}={'unknown' if value is None else value}" for name, value in report.policy_inputs.items()
        )
        yield from (f"  {line}" for line in wrap(inputs, _WIDTH, break_on_hyphens=False))
    yield "events"
    yield from map(_event, report.events)
    if result is not None:
        # Last, next to the prompt of the shell, and whole.
        yield "answer" if result.text or not text_kept else "no answer"
        yield from (f"  {line}" for line in (result.text if text_kept else "(not kept)").splitlines())


def _event(event: StoredEvent) -> str:
    rest = {name: value for name, value in event.event.items() if name not in ("type", "result")}
    moment = local_time(event.at, "milliseconds")[11:]
    kind = event.event.get("type", "?")
    return f"  {event.seq:>4}  {moment}  {kind:<16} {clip(msgspec.json.encode(rest).decode(), _CUT)}"


def _receipt(receipt: Receipt) -> Iterator[str]:
    yield "receipt"
    yield f"  wallet     {receipt.wallet}, expected {receipt.expected_wallet}: {receipt.verdict.replace('_', ' ')}"
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
    yield "evidence"
    for evidence in receipt.evidence:
        yield f"  {evidence.what:<28} {_value(evidence.value):<32} {_WHEN[evidence.when]}"


def _value(value: str | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not reported" if value is None else value
