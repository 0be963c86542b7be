"""The CPU time of a start: `oneseat --version`, `oneseat --help`, and `import oneseat` compared with the import of the SDK."""

from __future__ import annotations

from pathlib import Path

from .harness import Figure, Goal, Measure, Spread, compare, race
from .processes import ONESEAT, PYTHON, measure, plain_env, scratch

ROUNDS = 15
NAME, EVERYTHING, SDK = "import oneseat", "from oneseat import *", "import claude_agent_sdk"


def run() -> list[Figure]:
    """Measure in fresh processes with cached bytecode. The time of a bare interpreter is subtracted from that of an import."""
    with scratch() as home:
        samples = race(
            {
                "--version": _cpu_ms(home, [ONESEAT, "--version"]),
                "--help": _cpu_ms(home, [ONESEAT, "--help"]),
                "bare": _cpu_ms(home, [PYTHON, "-c", "pass"]),
                NAME: _cpu_ms(home, [PYTHON, "-c", NAME]),
                EVERYTHING: _cpu_ms(home, [PYTHON, "-c", EVERYTHING]),
                SDK: _cpu_ms(home, [PYTHON, "-c", SDK]),
            },
            ROUNDS,
        )
    net = {name: _net(samples[name], samples["bare"]) for name in (NAME, EVERYTHING, SDK)}
    return [
        Figure(
            "CPU of `oneseat --version`", "ms", Spread.of(samples["--version"]), goal=Goal(80, of="figure")
        ),
        Figure("CPU of `oneseat --help`", "ms", Spread.of(samples["--help"])),
        Figure("CPU of a bare interpreter, for scale", "ms", Spread.of(samples["bare"])),
        compare("CPU of `import oneseat`", "ms", net, NAME, SDK, goal=Goal(0.2)),
        compare(
            "CPU of `from oneseat import *`, every public name",
            "ms",
            net,
            EVERYTHING,
            SDK,
            goal=Goal(0.2),
        ),
    ]


def _cpu_ms(home: Path, command: list[str]) -> Measure:
    env = plain_env(home)
    return lambda: measure(command, env).cpu_s * 1000


def _net(samples: list[float], bare: list[float]) -> list[float]:
    # Keep it positive: on a noisy machine an interpreter may start slower bare than with an import.
    return [max(sample - nothing, 0.1) for sample, nothing in zip(samples, bare, strict=True)]
