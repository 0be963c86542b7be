"""One prompt in a fresh process, from its start to its end, with a simulator that answers at once."""

from __future__ import annotations

from pathlib import Path

from oneseat.testing import Answer, Simulator, Text

from .harness import Figure, Measure, compare, race
from .processes import ONESEAT, PROGRAMS, PYTHON, claude, claude_env, measure, oneseat_env, scratch

ROUNDS = 9
ANSWER = "Paris, said by the simulator."
OURS, BARE, SDK = "oneseat run", "claude -p", "claude-agent-sdk query()"


def run() -> list[Figure]:
    """All use the same CLI. oneseat also checks the wallet before the prompt and writes a ledger; the others do neither."""
    with scratch() as home, Simulator() as simulator:
        simulator.script("paris", [Answer(content=(Text(ANSWER),))])
        url = simulator.url("paris")
        work = home / "work"
        work.mkdir()
        ours, theirs = oneseat_env(home, url), {**claude_env(home, url), "BENCH_CLAUDE": claude()}
        samples = race(
            {
                OURS: _wall_ms([ONESEAT, "run", "--quiet", "capital?"], ours, work),
                BARE: _wall_ms([claude(), "-p", "capital?"], theirs, work),
                SDK: _wall_ms([PYTHON, str(PROGRAMS / "sdk_query.py"), "capital?"], theirs, work),
            },
            ROUNDS,
        )
    return [
        compare("cold run, whole process", "ms", samples, OURS, BARE),
        compare("cold run, whole process", "ms", samples, OURS, SDK),
    ]


def _wall_ms(command: list[str], env: dict[str, str], cwd: Path) -> Measure:
    return lambda: measure(command, env, expect=ANSWER, cwd=cwd).wall_s * 1000
