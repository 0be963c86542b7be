"""Adding up 500 MB of transcripts, 2,000 files with everything that is easy to miscount, compared with `ccusage`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from oneseat.testing.corpus import KINDS, CorpusPlan
from oneseat.testing.corpus.lines import Pen, Reply, Slot, encode

from .harness import Figure, Goal, Measure, Spread, compare, progress, race
from .processes import (
    ONESEAT,
    PROGRAMS,
    PYTHON,
    BrokenRunError,
    Finished,
    measure,
    memory_mb,
    plain_env,
    scratch,
)

ROUNDS = 5
#: Files, bytes, and whether they contain traps.
LARGE = ("2000", "500000000", "traps")
ORDINARY = ("200", "40000000", "none")
COLD, UNCHANGED, GROWN, PEER = "first time", "nothing changed", "one file grew", "ccusage daily"
#: ccusage does not distinguish the two kinds of cache writes.
_THEIR_KINDS = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens")


class Meters:
    """Both tools on one corpus."""

    def __init__(self, home: Path, plan: Sequence[str]) -> None:
        progress("writing transcripts")
        # Not in this process: its memory would be counted as that of every child it starts.
        written = measure([PYTHON, str(PROGRAMS / "write_corpus.py"), str(home), *plan], plain_env(home))
        self._made = json.loads(written.stdout)
        self._truth: list[int] = self._made["truth"]
        self._pen = Pen(1)
        self._index = home / "oneseat" / "data" / "usage.db"
        env = {**plain_env(home), "TZ": "UTC", "CLAUDE_CONFIG_DIR": ",".join(self._made["roots"])}
        self._theirs = env
        self._ours = {**env, "ONESEAT_HOME": str(home / "oneseat")}

    def ours(self, *options: str) -> Finished:
        """`oneseat usage`."""
        return measure([ONESEAT, "usage", *options], self._ours)

    def peer(self, *options: str) -> Finished:
        """`ccusage claude daily` with its bundled prices: nothing is fetched."""
        return measure([ccusage(), "claude", "daily", "--offline", *options], self._theirs)

    def first_time(self) -> Finished:
        """Ours, without an index."""
        self._index.unlink(missing_ok=True)
        return self.ours()

    def memory(self) -> tuple[float, float]:
        """The memory of both, ours without an index, in megabytes."""
        self._index.unlink(missing_ok=True)
        return memory_mb([ONESEAT, "usage"], self._ours), memory_mb(
            [ccusage(), "claude", "daily", "--offline"], self._theirs
        )

    def unchanged(self) -> Finished:
        """Ours, with an up-to-date index of these files."""
        # Run it before measuring: files that changed just before the index was made are read once more.
        self.ours()
        self.ours()
        return self.ours()

    def grown(self) -> Finished:
        """Ours, with an index of everything except the last answer."""
        self.unchanged()
        pen, tokens = self._pen, self._pen.tokens()
        reply = Reply(pen.name("msg"), CorpusPlan().last, "claude-sonnet-5-5", tokens, pen.name("req"))
        with Path(self._made["newest"]).open("ab") as file:
            file.write(encode(pen.answer(Slot(self._made["session"], self._made["cwd"]), reply)))
        self._truth = [known + new for known, new in zip(self._truth, tokens, strict=True)]
        return self.ours()

    def miscounted(self) -> tuple[int, int]:
        """By how many tokens both are wrong, ours first. Counted per kind, so that errors do not cancel out."""
        truth = self._truth
        mine = json.loads(self.ours("--json").stdout)["total"]
        theirs = json.loads(self.peer("--json").stdout)["totals"]
        return (
            _apart([mine[f"{kind}_tokens"] for kind in KINDS], truth),
            _apart([theirs[kind] for kind in _THEIR_KINDS], [*truth[:3], truth[3] + truth[4]]),
        )


def run() -> list[Figure]:
    """Each figure is for whole processes, ccusage as npm installs it; oneseat keeps an index, which it makes the first time.

    The index also covers transcripts that the CLI has deleted since. Tokens are compared with the known totals of the corpus:
    if a tool is wrong, the row says by how much. Ordinary transcripts have repeated lines, forks and subagents; the traps
    are lines that real machines leave behind after a crash, a fork, a side question or another version of the CLI.
    """
    with scratch() as home:
        ordinary = Meters(home, ORDINARY).miscounted()
    with scratch() as home:
        meters = Meters(home, LARGE)
        taken: dict[str, list[Finished]] = {name: [] for name in (COLD, UNCHANGED, GROWN, PEER)}
        race({name: _noting(meters, name, taken[name]) for name in taken}, ROUNDS)
        weighed = [meters.memory() for _ in range(ROUNDS)]
        trapped = meters.miscounted()
    if ordinary[0] or trapped[0]:
        raise BrokenRunError(f"`oneseat usage` is wrong by {ordinary[0]} and {trapped[0]} tokens")
    cpu = {name: [done.cpu_s * 1000 for done in all_done[1:]] for name, all_done in taken.items()}
    wall = {name: [done.wall_s * 1000 for done in all_done[1:]] for name, all_done in taken.items()}
    memory = dict(zip((COLD, PEER), zip(*weighed, strict=True), strict=True))
    return [
        compare("usage for the first time, CPU", "ms", cpu, COLD, PEER, goal=Goal(0.55)),
        compare("usage, nothing changed, wall", "ms", wall, UNCHANGED, PEER, goal=Goal(0.04)),
        compare("usage, one file grew, CPU", "ms", cpu, GROWN, PEER, goal=Goal(50, of="figure")),
        compare("usage for the first time, memory", "MB", memory, COLD, PEER, goal=Goal(60, of="figure")),
        _wrong("tokens miscounted, ordinary transcripts", ordinary),
        _wrong("tokens miscounted, transcripts with every trap", trapped),
    ]


def _noting(meters: Meters, name: str, taken: list[Finished]) -> Measure:
    ways = {COLD: meters.first_time, UNCHANGED: meters.unchanged, GROWN: meters.grown, PEER: meters.peer}

    def take() -> float:
        taken.append(ways[name]())
        return taken[-1].cpu_s

    return take


def _wrong(what: str, miscounted: tuple[int, int]) -> Figure:
    mine, theirs = (Spread.of([float(count)]) for count in miscounted)
    return Figure(what, "tokens", mine, PEER, theirs, goal=Goal(0, of="figure"))


def _apart(counted: Sequence[int], truth: Sequence[int]) -> int:
    return sum(abs(one - other) for one, other in zip(counted, truth, strict=True))


def ccusage() -> str:
    """The path of `ccusage`, set by the Makefile. Raises ``BrokenRunError`` when it is not set."""
    path = os.environ.get("BENCH_CCUSAGE")
    if not path:
        raise BrokenRunError("BENCH_CCUSAGE is not set; run the benchmarks with: make bench")
    return path
