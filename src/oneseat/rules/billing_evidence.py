"""What the billing gate of an official CLI writes down before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable

from oneseat.contract.facts import CodexFacts, CredentialFacts
from oneseat.contract.receipt import Evidence


def evidence_before(
    said: Iterable[tuple[str, str | bool | None]], facts: CredentialFacts | CodexFacts
) -> tuple[Evidence, ...]:
    """What the CLI ``said`` of itself, what its process is like, and where each source is that was kept from it or reached it."""
    found = (
        *said,
        ("child.environment", _child_state(facts)),
        *((f"kept:{source.name}", source.place) for source in facts.withheld),
        *((f"present:{source.name}", source.place) for source in facts.exposed),
    )
    return tuple(Evidence(what, value, "before") for what, value in found)


def _child_state(facts: CredentialFacts | CodexFacts) -> str:
    if facts.tampering is not None:
        return facts.tampering
    return "checked" if facts.child_checked else "not readable"
