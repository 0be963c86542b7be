"""Run the benchmarks: all of them and write docs/performance.md, or only the named ones and print.

make bench
make bench ARGS="startup cold-run"
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from . import cold_run, decoding, request_size, startup, usage, warm
from .harness import Figure, progress
from .machine import description
from .processes import BrokenRunError
from .report import page, terminal

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BENCHMARKS: dict[str, ModuleType] = {
    "startup": startup,
    "request-size": request_size,
    "cold-run": cold_run,
    "warm": warm,
    "decoding": decoding,
    "usage": usage,
}


def explain(benchmark: ModuleType) -> str:
    """The description of a benchmark: the docstring of its module, then that of its ``run``."""
    run: Callable[[], Sequence[Figure]] = benchmark.run
    return f"{inspect.getdoc(benchmark)}\n\n{inspect.getdoc(run)}"


def main(names: Sequence[str]) -> int:
    """Measure, print, and write the page when everything was measured. A missed goal is reported but does not fail the command."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"error: No such benchmark: `{unknown[0]}`\n  there are: {', '.join(BENCHMARKS)}\n")
        return 2
    machine = description()
    sections: dict[str, tuple[str, Sequence[Figure]]] = {}
    for name in names or BENCHMARKS:
        figures: Sequence[Figure] = BENCHMARKS[name].run()
        sections[name] = (explain(BENCHMARKS[name]), figures)
        progress("")
        sys.stdout.write(f"{name}\n{terminal(figures)}\n\n")
        sys.stdout.flush()
    if not names:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(sections, machine), "utf-8")
    failed = sum(figure.verdict == "failed" for _, figures in sections.values() for figure in figures)
    sys.stdout.write(f"{failed} goal(s) failed\n")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except BrokenRunError as error:
        sys.stderr.write(f"error: A measured program did not do its work\n  {error}\n")
        raise SystemExit(1) from None
