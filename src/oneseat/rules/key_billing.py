"""The billing gate of API keys: the key that the owner named pays, at the address that the owner means, or nobody does."""

from __future__ import annotations

import re

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import KeyFacts
from oneseat.contract.receipt import Evidence, Wallet

#: Where nobody on the way can read along: encrypted, or this machine. A user name in front of the host would be another host.
_PRIVATE = re.compile(
    r"(?:https://[A-Za-z0-9.-]+|https://\[[0-9A-Fa-f:.]+\]|http://(?:127\.0\.0\.1|localhost|\[::1\]))(?::\d+)?(?:/[^?#\s]*)?"
)
_HERE = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:/[^?#\s]*)?")


def judge(facts: KeyFacts, expected: Wallet) -> tuple[Wallet, tuple[Evidence, ...], ErrorInfo | None]:
    """The wallet that would pay, what that rests on, and the reason to refuse, if there is one."""
    wallet: Wallet = "simulator" if facts.simulated else "api_key"
    whose = "simulator" if facts.simulated else "settings" if facts.own_endpoint else "vendor"
    evidence = (
        Evidence("key.name", facts.key, "before"),
        Evidence("key.place", facts.place, "before"),
        Evidence("key.endpoint", facts.endpoint, "before"),
        Evidence("key.endpoint_of", whose, "before"),
    )
    return wallet, evidence, facts.problem or _objection(facts, wallet, expected)


def _objection(facts: KeyFacts, wallet: Wallet, expected: Wallet) -> ErrorInfo | None:
    safe = _HERE if facts.simulated else _PRIVATE
    if not safe.fullmatch(facts.endpoint):
        return ErrorInfo(
            code="billing.open_endpoint",
            message=f"An API key is not sent over an unencrypted connection: `{facts.endpoint}`\n  nothing was sent",
            hint=f"Use `https://`, or an address of this machine, as `base_url` of `[keys.{facts.key}]`",
        )
    if wallet != expected:
        return ErrorInfo(
            code="billing.unknown_wallet",
            message=f"A wallet other than the planned one would pay: `{wallet}`\n  planned was `{expected}`; nothing was sent",
            hint="See what would pay: `oneseat doctor`",
        )
    return None
