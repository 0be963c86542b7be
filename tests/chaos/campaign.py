"""Run, kill, look; a thousand times. The plan of every try follows from the seed, its moment only as far as a machine is exact."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

from oneseat.testing import Simulator

from .blows import BLOWS, Blow, strike
from .plays import FAKE, REAL, Play, prepare, write_cli, write_files
from .seat import Ended, Running, Seat
from .truth import (
    Stored,
    stored_runs,
    wrong_with_command,
    wrong_with_ledger,
    wrong_with_machine,
    wrong_with_run,
)

#: The next start is a plain one, two at once, or one that is itself killed and then a plain one; by weight.
_NEXT = (("plain", 6), ("two", 2), ("killed", 2))
_LOOK_AFTER_S = 0.35


class Plan(NamedTuple):
    """One try, decided before it begins. ``moment`` is a share of the run's usual duration where it is not in seconds."""

    number: int
    play: Play
    blow: Blow
    moment: float
    in_seconds: bool
    following: str
    sweep_moment: float


class Outcome(NamedTuple):
    """What a try showed. ``findings`` is empty when all is well."""

    plan: Plan
    after_s: float
    hit: bool
    code: int | None
    run: Stored | None
    clean_up_s: float
    findings: tuple[str, ...]

    @property
    def status(self) -> str:
        """How the run ended, by the ledger."""
        return self.run.status if self.run else "no run"


def plans(seed: int, plays: tuple[Play, ...]) -> Iterator[Plan]:
    """The tries of a campaign, without end."""
    dice = random.Random(seed)
    for number in count():
        moment, in_seconds = _moment(dice)
        (following,) = dice.choices([name for name, _ in _NEXT], [weight for _, weight in _NEXT])
        yield Plan(
            number,
            dice.choices(plays, [play.weight for play in plays])[0],
            dice.choices(BLOWS, [blow.weight for blow in BLOWS])[0],
            moment,
            in_seconds,
            following,
            dice.uniform(0, _LOOK_AFTER_S),
        )


def _moment(dice: random.Random) -> tuple[float, bool]:
    # The first 200 ms and the end are short, and hold most of the places where something can be lost.
    kind = dice.random()
    if kind < 0.15:
        return dice.uniform(0, 0.2), True
    return (dice.uniform(0.8, 1.05), False) if kind < 0.4 else (dice.uniform(0, 1.05), False)


class Campaign:
    """Everything one campaign needs. Use as a context manager; it removes its folders."""

    def __init__(self, claude: str, plays: tuple[Play, ...] = (*FAKE, *REAL)) -> None:
        self.plays = plays
        self._claude = claude
        self._root = Path(tempfile.mkdtemp(prefix="chaos-"))
        self._simulator = Simulator()
        self._usual: dict[str, float] = {}
        self._seats = threading.local()
        self._counter = threading.Lock()
        self._made = 0

    def __enter__(self) -> Campaign:
        self._simulator.__enter__()
        prepare(self._simulator)
        return self

    def __exit__(self, *_: object) -> None:
        self._simulator.__exit__(None, None, None)
        shutil.rmtree(self._root, ignore_errors=True)

    def run(self, seed: int, kills: int, workers: int) -> Iterator[Outcome]:
        """Tries, ``workers`` at a time, until ``kills`` of them have struck something that was alive."""
        tries, struck = plans(seed, self.plays), 0
        with ThreadPoolExecutor(workers) as threads:
            self._usual = dict(threads.map(self._measure, self.plays))
            while struck < kills:
                for outcome in threads.map(self._attempt, islice(tries, 4 * workers)):
                    struck += outcome.hit
                    yield outcome

    def repeat(self, seed: int, number: int) -> Outcome:
        """The try with this number once more."""
        plan = next(islice(plans(seed, self.plays), number, None))
        self._usual = dict([self._measure(plan.play)])
        return self._attempt(plan)

    def _measure(self, play: Play) -> tuple[str, float]:
        """The play's name, and how long it takes when nobody kills it, in seconds."""
        ended = self._start(self._seat(), play, "usual").finish()
        if (ended.code == 0) != play.completes:
            raise RuntimeError(f"play `{play.name}` does not work by itself: {ended}")
        return play.name, ended.seconds

    def _attempt(self, plan: Plan) -> Outcome:
        seat, play = self._seat(), plan.play
        before = len(stored_runs(seat.ledger))
        label = f"try-{plan.number}"
        after = plan.moment if plan.in_seconds else plan.moment * self._usual[play.name]
        running = self._start(seat, play, label)
        _wait(running, after - seat.look_s)
        seen = seat.families()
        hit = strike(plan.blow, running.process)
        ended = running.finish()
        if not hit:
            # It was over before. The machine is not always as busy as it was when the plays were measured.
            self._usual[play.name] = ended.seconds
        findings = list(wrong_with_command(ended))
        if ended.code is None or ended.code >= 0:
            # It ended by itself, so it has cleaned up by itself.
            findings += [f"before the next start: {found}" for found in wrong_with_machine(seat, seen)]
        began = time.monotonic()
        for command in self._next_start(seat, plan):
            findings += [f"the next start: {found}" for found in wrong_with_command(command)]
        clean_up = time.monotonic() - began
        findings += [*wrong_with_machine(seat, seen), *wrong_with_ledger(seat.ledger)]
        runs = stored_runs(seat.ledger)[before:]
        run = runs[0] if runs else None
        asked = len(self._simulator.messages(label))
        findings += wrong_with_run(play, ended, run, asked)
        if len(runs) > 1:
            findings.append(f"one command and {len(runs)} runs")
        if play.project:
            findings += self._wrong_with_project(seat, play)
        seat.clear()
        return Outcome(plan, after, hit, ended.code, run, clean_up, tuple(findings))

    def _next_start(self, seat: Seat, plan: Plan) -> Iterator[Ended]:
        """What is run next, which clears what the killed one left."""
        # Of all commands that clean up, the one that does least besides. Those that only read end nothing.
        look = ("sessions", "end", "nobody", "--json")
        if plan.following == "killed":
            killed = seat.start(look, {})
            _wait(killed, plan.sweep_moment)
            killed.process.kill()
            killed.finish()
        others = [seat.start(look, {}) for _ in range(2 if plan.following == "two" else 1)]
        for other in others:
            yield other.finish()

    def _wrong_with_project(self, seat: Seat, play: Play) -> Iterator[str]:
        # Not waiting: whoever was killed holds nothing any more.
        again = play._replace(arguments=tuple(word for word in play.arguments if word != "--wait=30"))
        ended = self._start(seat, again, "again").finish()
        if ended.code != 0:
            yield f"the project cannot go on: exit code {ended.code} {ended.stderr[-400:]}"

    def _start(self, seat: Seat, play: Play, label: str) -> Running:
        cli = str(write_cli(play, seat.root)) if play.fake else self._claude
        url = self._simulator.url(play.scenario, label)
        env = {"ONESEAT_CLAUDE_PATH": cli, "ONESEAT_SIMULATOR_URL": url}
        return seat.start(("run", *play.arguments, "hello"), env)

    def _seat(self) -> Seat:
        """One seat for each worker: its ledger, sessions and locks see all that the worker does."""
        if not hasattr(self._seats, "mine"):
            with self._counter:
                self._made += 1
                self._seats.mine = Seat(self._root / f"seat-{self._made}")
            write_files(self._seats.mine.work)
        seat: Seat = self._seats.mine
        return seat


def _wait(running: Running, seconds: float) -> None:
    threading.Event().wait(max(0.0, running.began + seconds - time.monotonic()))
