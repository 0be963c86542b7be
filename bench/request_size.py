"""How many bytes one short prompt sends to the vendor, which count against a subscription's limits."""

from __future__ import annotations

from oneseat.testing import Simulator

from .harness import Figure, Goal, Spread, compare
from .processes import ONESEAT, claude_env, cli_version, clis, measure, oneseat_env, scratch

QUESTION = "What is the capital of France?"


def run() -> list[Figure]:
    """Send one prompt each way and add up the bodies of the model requests. Bytes, not tokens: caching changes the cost.

    A newer CLI sends less by itself, so both ends of the tested range are shown; the goal holds for each.
    """
    return [figure for cli in clis() for figure in _figures(cli)]


def _figures(cli: str) -> list[Figure]:
    with scratch() as home, Simulator() as simulator:
        work = home / "work"
        work.mkdir()
        ours = {**oneseat_env(home, simulator.url("ok", "ours")), "ONESEAT_CLAUDE_PATH": cli}
        measure([ONESEAT, "run", QUESTION], ours, cwd=work)
        measure([cli, "-p", QUESTION], claude_env(home, simulator.url("ok", "bare")), cwd=work)
        sent = {label: [float(_bytes(simulator, label))] for label in ("ours", "bare")}
    requests = Spread.of([float(len(simulator.messages("ours")))])
    version = cli_version(cli)
    compared = compare(
        f"request bytes of a text run, CLI {version}", "bytes", sent, "ours", "bare", goal=Goal(1 / 50)
    )
    return [
        compared._replace(peer="bare `claude -p`"),
        Figure(
            f"model requests of a text run, CLI {version}", "requests", requests, goal=Goal(1, of="figure")
        ),
    ]


def _bytes(simulator: Simulator, label: str) -> int:
    return sum(request.body_bytes for request in simulator.messages(label))
