"""Results, receipts and events as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneseat._util.json import to_json
from oneseat.cli.screen import printable, styled
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, Failed, Finished
from oneseat.contract.receipt import NO_TOKENS, Receipt, RunResult, TokenUsage, Verdict
from oneseat.contract.reports.runs import ResultReport

from .numbers import usd

if TYPE_CHECKING:
    from oneseat.cli.screen import Style

_COLOURS: dict[Verdict, Style] = {
    "verified": "good",
    "unverified": "doubtful",
    "misbilled": "bad",
    "nothing_sent": "quiet",
}


def result_line(result: RunResult) -> bytes:
    """The JSON object of `--json`, without a newline."""
    return to_json(ResultReport.of(result))


def event_line(event: Event) -> bytes:
    """One line of `--stream-json`, without a newline. The last one is the result object with ``"type": "result"``."""
    if isinstance(event, (Finished, Failed)):
        return tagged_result(event.result)
    return to_json(event)


def tagged_result(result: RunResult) -> bytes:
    """The result object as the last line of `--stream-json`."""
    return b'{"type":"result",' + result_line(result)[1:]


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
        f"wallet {receipt.wallet} ({verdict_text(receipt)})",
        _model_text(receipt),
        tokens_text(receipt.usage),
        cost_text(receipt),
        f"{receipt.duration_ms / 1000:.1f} s",
        *_withheld(receipt),
        f"run {result.run_id}",
    ]
    return printable("receipt: " + " · ".join(parts))


def policy_expiry(day: str) -> str:
    """What the end of the policy rules on a day (ISO 8601) means, in the last days before it and after it."""
    return f"the policy rules expire on {day}, and allow nothing on the plan from then on; renew them"


def _model_text(receipt: Receipt) -> str:
    instead = f" instead of {receipt.requested_model}" if receipt.requested_model is not None else ""
    return (receipt.model or "no model") + instead


def verdict_text(receipt: Receipt) -> str:
    """The verdict in words."""
    return styled(receipt.verdict.replace("_", " "), _COLOURS[receipt.verdict])


def _withheld(receipt: Receipt) -> list[str]:
    names = [e.what.removeprefix("kept:") for e in receipt.evidence if e.what.startswith("kept:")]
    # On every receipt: in another program the same key would outrank the login.
    return [f"withheld from the CLI: {', '.join(dict.fromkeys(names))}"] if names else []


def tokens_text(usage: TokenUsage) -> str:
    """Tokens in and out."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return "tokens unknown"
    cached = usage.cache_read_tokens or 0
    more = f" (+{cached:,} cached)" if cached else ""
    return f"{usage.input_tokens:,} in{more}, {usage.output_tokens:,} out"


def cost_text(receipt: Receipt) -> str:
    """What was charged, and what the same tokens cost at list price."""
    charged = "charge unknown" if receipt.cost_usd is None else f"charged {usd(receipt.cost_usd)}"
    price = "unknown" if receipt.equivalent_cost_usd is None else usd(receipt.equivalent_cost_usd)
    return f"{charged}, list price {price}"
