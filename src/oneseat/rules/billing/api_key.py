"""The billing gate for API keys: only the key that the owner named may pay, and only at the URL that the owner set."""

from __future__ import annotations

import re

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import KeyFacts
from oneseat.contract.receipt import Evidence, Wallet

from .messages import refusal

#: A URL that protects the key in transit: HTTPS or loopback. No user name before the host, as it could disguise another host.
_PRIVATE = re.compile(
    r"(?:https://[A-Za-z0-9.-]+|https://\[[0-9A-Fa-f:.]+\]|http://(?:127\.0\.0\.1|localhost|\[::1\]))(?::\d+)?(?:/[^?#\s]*)?"
)
_HERE = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:/[^?#\s]*)?")


def judge(facts: KeyFacts, expected: Wallet) -> tuple[Wallet, tuple[Evidence, ...], ErrorInfo | None]:
    """The wallet that would pay, the evidence, and the reason to refuse, if there is one."""
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
        return refusal(
            "billing.open_endpoint",
            f"A key is not sent to an address where others can read it: `{facts.endpoint}`",
            "nothing was sent",
            f"Use `https://`, or an address of this machine, as `base_url` of `[keys.{facts.key}]`",
        )
    if wallet != expected:
        return refusal(
            "billing.unknown_wallet",
            f"Another wallet than planned would pay: `{wallet}`",
            f"planned was `{expected}`; nothing was sent",
            "See what would pay: `oneseat doctor`",
        )
    return None
