"""Results, receipts and events as text and as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from oneseat._util.json import to_json
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, Failed, Finished
from oneseat.contract.receipt import NO_TOKENS, Receipt, RunResult, TokenUsage

from .output import printable


def result_line(result: RunResult) -> bytes:
    """The JSON object of `--json`, without a newline. ``denials`` is there only where a tool was refused."""
    return to_json(result_fields(result))


def event_line(event: Event) -> bytes:
    """One line of `--stream-json`, without a newline. The last one is the result object with ``"type": "result"``."""
    if isinstance(event, (Finished, Failed)):
        return tagged_result(event.result)
    return to_json(event)


def tagged_result(result: RunResult) -> bytes:
    """The result object as the last line of `--stream-json`."""
    return b'{"type":"result",' + to_json(result_fields(result))[1:]


def result_fields(result: RunResult) -> dict[str, Any]:
    """The fields of a result as JSON shows them."""
    fields = msgspec.structs.asdict(result)
    if not result.denials:
        del fields["denials"]
    return fields


def nothing_ran(info: ErrorInfo) -> RunResult:
    """The result of a command that failed before there was a run."""
    receipt = Receipt(
        provider=None,
        model=None,
        wallet="unknown",
        expected_wallet="unknown",
        verdict="nothing_sent",
        usage=NO_TOKENS,
        cost_usd=0.0,
        equivalent_cost_usd=0.0,
    )
    return RunResult(run_id="", status="failed", text="", error=info, receipt=receipt)


def receipt_line(result: RunResult) -> str:
    """The receipt in one line for stderr."""
    receipt = result.receipt
    parts = [
        f"wallet {receipt.wallet} ({receipt.verdict.replace('_', ' ')})",
        receipt.model or "no model",
        tokens_text(receipt.usage),
        cost_text(receipt),
        f"{receipt.duration_ms / 1000:.1f} s",
        *_kept(receipt),
        f"run {result.run_id}",
    ]
    return printable("receipt: " + " · ".join(parts))


def _kept(receipt: Receipt) -> list[str]:
    names = [e.what.removeprefix("kept:") for e in receipt.evidence if e.what.startswith("kept:")]
    # Said on every run: a key that would outrank the login elsewhere is not to be forgotten.
    return [f"kept from the CLI: {', '.join(dict.fromkeys(names))}"] if names else []


def tokens_text(usage: TokenUsage) -> str:
    """Tokens in and out; what is not known is said to be so."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return "tokens unknown"
    cached = usage.cache_read_tokens or 0
    more = f" (+{cached:,} cached)" if cached else ""
    return f"{usage.input_tokens:,} in{more}, {usage.output_tokens:,} out"


def cost_text(receipt: Receipt) -> str:
    """What was charged, and what the same tokens cost at list price."""
    # A tenth of a cent is no nothing: only what costs nothing says so.
    digits = 4 if receipt.cost_usd else 2
    charged = "charge unknown" if receipt.cost_usd is None else f"charged ${receipt.cost_usd:.{digits}f}"
    if receipt.equivalent_cost_usd is None:
        return f"{charged}, list price unknown"
    return f"{charged}, list price ${receipt.equivalent_cost_usd:.4f}"
