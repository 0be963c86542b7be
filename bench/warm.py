"""Time to the first text with a warm process, and the throughput of one process."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from oneseat.testing import Answer, Simulator, Text

from .harness import Figure, Goal, Measure, Spread, compare, race
from .processes import (
    ONESEAT,
    PROGRAMS,
    PYTHON,
    BrokenRunError,
    Resident,
    claude,
    claude_env,
    cli_version,
    clis,
    measure,
    oneseat_env,
    resident,
    scratch,
    serving,
)

ROUNDS = 9
ANSWER = "Paris, said by the simulator."
SLOW_MS = 300.0
SIDE_BY_SIDE, OUR_RUNS, THEIR_RUNS = 8, 240, 16
QUERY, CLIENT = "claude-agent-sdk query()", "a live ClaudeSDKClient"
SERVED, BARE = "oneseat run, a server up", "claude -p"


def run() -> list[Figure]:
    """All use the same CLI, interleaved; the import of the SDK is not counted. oneseat checks the wallet before each prompt.

    Both ends of the tested range are shown: 2.1.329 needs more for the first prompt of a process, even of a warmed-up one.
    The vendor is a simulator that answers at once, or after 300 ms if the line says so. Warm processes have booted
    when the clock starts; the SDK has none, so its query() starts one and a live client keeps one.
    """
    with scratch() as home, Simulator() as simulator:
        simulator.script("paris", [Answer(content=(Text(ANSWER),))])
        simulator.script("slow", [Answer(content=(Text(ANSWER),), delay_s=SLOW_MS / 1000)])
        figures = [
            figure
            for cli in clis()
            for measured in (_first_words, _whole_process)
            for figure in measured(_folder(home), simulator, cli)
        ]
        return [*figures, *_throughput(_folder(home), simulator)]


def _folder(home: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=home))


def _first_words(home: Path, simulator: Simulator, cli: str) -> list[Figure]:
    version = f"CLI {cli_version(cli)}"
    with ExitStack() as stack:
        live = {
            "warm": stack.enter_context(_ours(home / "warm", simulator.url("paris"), "warm", 1, cli)),
            "warm, slow": stack.enter_context(_ours(home / "slow", simulator.url("slow"), "warm", 1, cli)),
            "turn": stack.enter_context(_ours(home / "talk", simulator.url("paris"), "conversation", 0, cli)),
            QUERY: stack.enter_context(_sdk(home, simulator.url("paris"), "query", cli)),
            CLIENT: stack.enter_context(_sdk(home, simulator.url("paris"), "client", cli)),
        }
        seen: dict[str, list[Mapping[str, float]]] = {name: [] for name in live}

        def first(name: str) -> Measure:
            def sample() -> float:
                seen[name].append(live[name].ask("one"))
                return seen[name][-1]["first_ms"]

            return sample

        work = home / "bare"
        work.mkdir()
        bare = claude_env(home, simulator.url("paris"))
        contestants = {name: first(name) for name in live}
        samples = race({**contestants, BARE: lambda: _bare_first_ms(cli, bare, work)}, ROUNDS)
        gate = [found["gate_ms"] for found in seen["warm"][1:]]
        added = [sample - SLOW_MS for sample in samples["warm, slow"]]
        memory = live["warm"].ready
    return [
        compare(f"request to first text, warm, {version}", "ms", samples, "warm", QUERY, goal=Goal(0.15)),
        compare(f"request to first text, warm, {version}", "ms", samples, "warm", BARE),
        compare(
            f"next message of a conversation, to first text, {version}",
            "ms",
            samples,
            "turn",
            CLIENT,
            goal=Goal(1.1),
        ),
        Figure(
            f"added to an upstream of 300 ms, warm, {version}",
            "ms",
            Spread.of(added),
            goal=Goal(50, of="figure"),
        ),
        Figure(
            f"billing gate on a warm process, {version}", "ms", Spread.of(gate), goal=Goal(15, of="figure")
        ),
        Figure(f"memory of one process that waits, resident, {version}", "MB", Spread.of([memory["rss_mb"]])),
        Figure(
            f"memory of one process that waits, shared pages by share, {version}",
            "MB",
            Spread.of([memory["pss_mb"]]),
        ),
    ]


def _bare_first_ms(cli: str, env: Mapping[str, str], cwd: Path) -> float:
    """From the start of a bare CLI to the first piece of its answer."""
    words = ["-p", "--output-format", "stream-json", "--include-partial-messages", "--verbose", "capital?"]
    began = time.perf_counter()
    with subprocess.Popen(
        [cli, *words], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b"content_block_delta" in line:
                first_ms = (time.perf_counter() - began) * 1000
                process.stdout.read()
                return first_ms
    raise BrokenRunError("`claude -p` gave no text")


def _whole_process(home: Path, simulator: Simulator, cli: str) -> list[Figure]:
    version = f"CLI {cli_version(cli)}"
    url = simulator.url("paris")
    work = home / "work"
    work.mkdir()
    ours, theirs = {**oneseat_env(home, url), "ONESEAT_CLAUDE_PATH": cli}, claude_env(home, url)
    with serving(ours, work) as server:

        def served() -> float:
            server.settle()
            return (
                measure([ONESEAT, "run", "--quiet", "capital?"], ours, expect=ANSWER, cwd=work).wall_s * 1000
            )

        def bare() -> float:
            return measure([cli, "-p", "capital?"], theirs, expect=ANSWER, cwd=work).wall_s * 1000

        samples = race({SERVED: served, BARE: bare}, ROUNDS)
    return [compare(f"in a shell, whole process, {version}", "ms", samples, SERVED, BARE, goal=Goal(0.30))]


def _throughput(home: Path, simulator: Simulator) -> list[Figure]:
    url = simulator.url("paris")
    folder = home / "many"
    config = folder / "oneseat" / "config"
    config.mkdir(parents=True)
    # Set explicitly: by default a process serves one run.
    (config / "oneseat.toml").write_text("[pool]\nruns_per_process = 1000\nmax_memory_mb = 8000\n", "utf-8")
    with ExitStack() as stack:
        ours = stack.enter_context(_ours(folder, url, "many", SIDE_BY_SIDE, claude()))
        theirs = stack.enter_context(_sdk(home, url, "query", claude()))
        samples = race(
            {
                "reused": lambda: ours.ask(f"many {OUR_RUNS} {SIDE_BY_SIDE}")["runs_per_s"],
                QUERY: lambda: theirs.ask(f"many {THEIR_RUNS} {SIDE_BY_SIDE}")["runs_per_s"],
            },
            rounds=3,
        )
    return [
        compare(
            f"independent runs on reused processes, {SIDE_BY_SIDE} at a time",
            "runs/s",
            samples,
            "reused",
            QUERY,
            goal=Goal(8, more_is_better=True),
            more_is_better=True,
        )
    ]


def _ours(folder: Path, url: str, mode: str, size: int, cli: str) -> Resident:
    folder.mkdir(exist_ok=True)
    env = {**oneseat_env(folder, url), "ONESEAT_CLAUDE_PATH": cli}
    return resident([PYTHON, str(PROGRAMS / "ours_live.py"), mode, str(size)], env, folder)


def _sdk(folder: Path, url: str, mode: str, cli: str) -> Resident:
    env = {**claude_env(folder, url), "BENCH_CLAUDE": cli}
    return resident([PYTHON, str(PROGRAMS / "sdk_live.py"), mode], env, folder)
