"""The billing gate of API keys: the key that the owner named pays, at the address that the owner means, or nobody does."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import KeyFacts
from oneseat.contract.receipt import Evidence, Wallet


def judge(facts: KeyFacts, expected: Wallet) -> tuple[Wallet, tuple[Evidence, ...], ErrorInfo | None]:
    """The wallet that would pay, what that rests on, and the reason to refuse, if there is one."""
    wallet: Wallet = "simulator" if facts.simulated else "api_key"
    evidence = (
        Evidence("key.name", facts.key, "before"),
        Evidence("key.place", facts.place, "before"),
        Evidence("key.endpoint", facts.endpoint, "before"),
    )
    return wallet, evidence, facts.problem or (None if wallet == expected else _other(wallet, expected))


def _other(wallet: Wallet, expected: Wallet) -> ErrorInfo:
    return ErrorInfo(
        code="billing.unknown_wallet",
        message=f"Another wallet than planned would pay: `{wallet}`\n  planned was `{expected}`; nothing was sent",
        hint="See what would pay: `oneseat doctor`",
    )
