"""The billing gate: which wallet would pay, and whether it is the planned one. Any uncertainty is a refusal."""

from .claude import wallet_of
from .gate import TELLING, Finding, clear, conclude, conclude_on_key, judge_during, verdict

__all__ = [
    "TELLING",
    "Finding",
    "clear",
    "conclude",
    "conclude_on_key",
    "judge_during",
    "verdict",
    "wallet_of",
]
