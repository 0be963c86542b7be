"""Two PID namespaces share one home, and the machine around them reads in it: no run is lost.

``python -m tests.chaos.namespaces`` does so for ten minutes, the tests for some seconds. Linux only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oneseat.testing import Behaviour, Simulator, write_fake_cli
from oneseat.testing.fake_cli import Grandchild, Result, Say

from .seat import Ended, Seat
from .truth import stored_runs, wrong_with_ledger, wrong_with_machine

#: Starts a command as the first process of a PID namespace. An ordinary user needs a user namespace for that.
NEW_NAMESPACE = (
    "unshare",
    *(() if os.geteuid() == 0 else ("--user", "--map-root-user")),
    *("--pid", "--fork", "--kill-child", "--mount-proc"),
)
#: What only reads, and so must end nothing.
_READING = (("log", "--json"), ("status", "--json"), ("usage", "--json"), ("sessions", "list", "--json"))


def lost_runs(seconds: float, folder: Path) -> tuple[int, list[str]]:
    """Run in two namespaces and read outside of them for ``seconds``. How many runs there were, and what is wrong."""
    seat = Seat(folder / "seat")
    # A tool, so that there is something to be ended by mistake.
    cli = write_fake_cli(folder / "claude", Behaviour(on_user=(Grandchild(), Say(), Result())))
    with Simulator() as simulator:
        env = {
            "ONESEAT_CLAUDE_PATH": str(cli.path),
            "ONESEAT_SIMULATOR_URL": simulator.url("ok", "namespaces"),
        }
        until = time.monotonic() + seconds

        def inside() -> Iterator[Ended]:
            while time.monotonic() < until:
                yield seat.start(("run", "--json", "hello"), env, prefix=NEW_NAMESPACE).finish()

        def outside() -> Iterator[Ended]:
            for arguments in itertools.cycle((*_READING, ("run", "--json", "hello"))):
                if time.monotonic() >= until:
                    return
                yield seat.start(arguments, env).finish()

        with ThreadPoolExecutor(3) as threads:
            jobs: list[Callable[[], Iterator[Ended]]] = [inside, inside, outside]
            ended = [each for found in threads.map(lambda job: list(job()), jobs) for each in found]
    wrong = [f"exit code {each.code}: {each.stdout!r} {each.stderr}" for each in ended if each.code != 0]
    runs = stored_runs(seat.ledger)
    wrong += [f"run {run.id} is {run.status}" for run in runs if run.status != "completed"]
    wrong += [*wrong_with_ledger(seat.ledger), *wrong_with_machine(seat, [])]
    return len(runs), wrong


def main() -> int:
    """Print what was found; exit code 1 when anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.namespaces")
    parser.add_argument("--seconds", type=float, default=600.0)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="namespaces-"))
    try:
        runs, wrong = lost_runs(chosen.seconds, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join([*wrong, f"{runs} runs in {chosen.seconds:g} s, {len(wrong)} findings"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
