"""Programs that the vendor bars from plans, by how they introduce themselves to a model. Their prompts are never rewritten."""

from __future__ import annotations

import re

from oneseat.contract.policy import Harness

#: What the instructions of each begin with or contain. Named by the vendor in April 2026 (docs/guides/policy.md, rule R6).
_BARRED = re.compile(
    r"\byou are opencode\b|\brunning inside (?:openclaw|moltbot|clawdbot)\b", re.IGNORECASE | re.ASCII
)


def harness_of(system: str | None) -> Harness:
    """Whose program wrote these instructions: a barred one, or anything else on the official CLI."""
    if system is not None and _BARRED.search(system):
        return "third_party_spoof"
    return "official_cli_unmodified"
