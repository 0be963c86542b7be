"""How much CPU a command costs before it does anything: `oneseat --version`, `--help`, and `import oneseat` beside the SDK's import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .harness import Figure, Goal, Measure, Spread, compare, race
from .processes import ONESEAT, PYTHON, measure, plain_env, scratch

ROUNDS = 15


def run() -> list[Figure]:
    """Measure in fresh processes with the bytecode already written. An import is counted net of a bare interpreter."""
    with scratch() as home:
        samples = race(
            {
                "--version": _cpu_ms(home, [ONESEAT, "--version"]),
                "--help": _cpu_ms(home, [ONESEAT, "--help"]),
                "bare": _cpu_ms(home, [PYTHON, "-c", "pass"]),
                "import oneseat": _cpu_ms(home, [PYTHON, "-c", "import oneseat"]),
                "import claude_agent_sdk": _cpu_ms(home, [PYTHON, "-c", "import claude_agent_sdk"]),
            },
            ROUNDS,
        )
    net = {name: _net(samples[name], samples["bare"]) for name in ("import oneseat", "import claude_agent_sdk")}
    return [
        Figure("CPU of `oneseat --version`", "ms", Spread.of(samples["--version"]), goal=Goal(80, of="figure")),
        Figure("CPU of `oneseat --help`", "ms", Spread.of(samples["--help"])),
        Figure("CPU of a bare interpreter, for scale", "ms", Spread.of(samples["bare"])),
        compare(
            "CPU of `import oneseat`", "ms", net, "import oneseat", "import claude_agent_sdk", goal=Goal(0.2)
        ),
    ]


def _cpu_ms(home: Path, command: list[str]) -> Measure:
    env = plain_env(home)
    take: Callable[[], float] = lambda: measure(command, env).cpu_s * 1000  # noqa: E731 - one per contestant
    return take


def _net(samples: list[float], bare: list[float]) -> list[float]:
    # Never 0 or less: on a noisy machine one interpreter may start slower bare than with an import.
    return [max(sample - nothing, 0.1) for sample, nothing in zip(samples, bare, strict=True)]
