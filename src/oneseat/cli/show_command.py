"""``oneseat show``."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

import click
import msgspec

from oneseat import api
from oneseat._util.json import to_json
from oneseat.api import StoredEvent, StoredRun
from oneseat.contract.receipt import Receipt

from .log_command import local_time
from .output import echo
from .render import cost_text, result_fields, tokens_text

_CUT = 160
_WIDTH = 100
_WHEN = {"before": "before sending", "during": "while it ran", "after": "with the result"}


@click.command(
    "show",
    epilog="""\b
Examples:
  oneseat show 4f2a
  oneseat show 4f2a --json""",
)
@click.argument("run")
@click.option("--events", "only_events", is_flag=True, help="Only the events, whole, one JSON object a line.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: run, result, events, policy inputs."
)
def command(run: str, only_events: bool, as_json: bool) -> None:
    """Print one run with its events and evidence. RUN is its id or the beginning of it."""
    with api.read_ledger() as ledger:
        stored = ledger.run(run)
        events = list(ledger.events(stored.summary.id))
    if as_json:
        result = result_fields(stored.result) if stored.result is not None else None
        echo(
            to_json(
                {
                    "run": stored.summary,
                    "result": result,
                    "events": events,
                    "policy_inputs": stored.policy_inputs,
                }
            )
        )
    elif only_events:
        for event in events:
            echo(to_json(event))
    else:
        echo("\n".join(_lines(stored, events)))


def _lines(stored: StoredRun, events: list[StoredEvent]) -> Iterator[str]:
    run, result = stored.summary, stored.result
    yield f"run {run.id} · {run.status} · {local_time(run.created_at)}"
    yield f"  directory  {run.cwd}"
    yield f"  prompt     {run.prompt_bytes:,} bytes: {_one_line(run.prompt_preview or '(not kept)')}"
    if result is not None:
        if result.error is not None:
            what, *why = result.error.message.splitlines()
            yield f"  error      {what} ({result.error.code})"
            yield from (f"             {line.strip()}" for line in why)
        yield from _receipt(result.receipt)
    if stored.policy_inputs is not None:
        yield "policy inputs"
        said = ", ".join(
            f"{name}={'unknown' if value is None else value}" for name, value in stored.policy_inputs.items()
        )
        yield from (f"  {line}" for line in wrap(said, _WIDTH, break_on_hyphens=False))
    yield "events"
    for event in events:
        kind = event.event.get("type", "?")
        rest = {name: value for name, value in event.event.items() if name not in ("type", "result")}
        moment = local_time(event.at, milliseconds=True)[11:]
        yield f"  {event.seq:>4}  {moment}  {kind:<16} {_one_line(msgspec.json.encode(rest).decode())}"
    if result is not None:
        # Last, where a reader's eye is, and whole: it was paid for.
        yield "answer" if result.text or not stored.text_kept else "no answer"
        yield from (f"  {line}" for line in (result.text if stored.text_kept else "(not kept)").splitlines())


def _receipt(receipt: Receipt) -> Iterator[str]:
    yield "receipt"
    yield f"  wallet     {receipt.wallet}, planned {receipt.expected_wallet}: {receipt.verdict.replace('_', ' ')}"
    yield f"  provider   {receipt.provider} {receipt.cli_version or ''}, model {receipt.model or 'none'}"
    yield f"  tokens     {tokens_text(receipt.usage)}"
    yield f"  money      {cost_text(receipt)}"
    yield f"  time       {receipt.duration_ms / 1000:.2f} s, {receipt.attempts} attempt{'' if receipt.attempts == 1 else 's'}"
    if receipt.policy is not None:
        word = f", confirmed {local_time(receipt.policy.confirmed)}" if receipt.policy.confirmed else ""
        yield f"  policy     {receipt.policy.tier}, rule {receipt.policy.rule}, pack {receipt.policy.pack}{word}"
    for limit in receipt.limits:
        used = f"{limit.used:.0%} used" if limit.used is not None else "share not said"
        resets = f", resets {local_time(limit.resets_at)}" if limit.resets_at else ""
        yield f"  limit      {limit.window}: {limit.status}, {used}{resets}"
    yield "evidence"
    for evidence in receipt.evidence:
        yield f"  {evidence.what:<28} {_said(evidence.value):<32} {_WHEN[evidence.when]}"


def _said(value: str | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not said" if value is None else value


def _one_line(text: str) -> str:
    flat = "".join(char if char.isprintable() else " " for char in text)
    flat = " ".join(flat.split())
    return flat if len(flat) <= _CUT else f"{flat[:_CUT]}…"
