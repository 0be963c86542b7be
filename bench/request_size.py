"""How many bytes one short question sends upstream: what a subscription's limits are spent on."""

from __future__ import annotations

from oneseat.testing import Simulator

from .harness import Figure, Goal, Spread, compare
from .processes import ONESEAT, claude, claude_env, measure, oneseat_env, scratch

QUESTION = "What is the capital of France?"


def run() -> list[Figure]:
    """Ask one question each way and add up the bodies of the model requests. Bytes, not tokens: caching changes what they cost."""
    with scratch() as home, Simulator() as simulator:
        work = home / "work"
        work.mkdir()
        measure([ONESEAT, "run", QUESTION], oneseat_env(home, simulator.url("ok", "ours")), cwd=work)
        measure([claude(), "-p", QUESTION], claude_env(home, simulator.url("ok", "bare")), cwd=work)
        sent = {label: [float(_bytes(simulator, label))] for label in ("ours", "bare")}
    requests = Spread.of([float(len(simulator.messages("ours")))])
    return [
        compare("request bytes of a text run", "bytes", sent, "ours", "bare", goal=Goal(1 / 50))._replace(
            peer="bare `claude -p`"
        ),
        Figure("model requests of a text run", "requests", requests, goal=Goal(1, of="figure")),
    ]


def _bytes(simulator: Simulator, label: str) -> int:
    return sum(request.body_bytes for request in simulator.messages(label))
