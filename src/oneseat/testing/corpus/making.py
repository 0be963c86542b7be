"""Writes a corpus, and changes it afterwards as real transcripts change."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from .lines import Pen, Reply, Slot, encode, later
from .traps import MODELS, TRAPS, Left, Trap, near_midnight, plain, seconds_to_next
from .truth import Spent

_CWDS = ("/home/me/shop", "/home/me/shop_api", "/home/me/notes.d", "/home/me/work/a very long project name")
#: One file in this many belongs to a subagent, is a fork, is in the second configuration folder.
_AGENT, _FORK, _SECOND = 5, 7, 9
#: At most one answer in this many is a trap; one in this many is close to midnight in some time zone.
_TRAP, _EDGE = 16, 23
#: The size of an answer with its prompt in bytes, the least number of answers in a file, and the size of an answer's own lines.
_ANSWER, _MIN_ANSWERS, _OWN_LINES = 11_000, 5, 3900


class CorpusPlan(NamedTuple):
    """What to write: ``files`` transcripts of about ``size`` bytes in total, covering the ``days`` days up to ``last``."""

    seed: int = 1
    files: int = 60
    size: int = 1_500_000
    days: int = 45
    last: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)
    traps: bool = True


class Session(NamedTuple):
    """One transcript: its path, the session its lines name, and the answers written so far, which a fork repeats."""

    path: Path
    place: Slot
    written: list[tuple[Reply, Left]]


class Corpus:
    """A corpus on disk and its true totals. ``unreadable`` counts unreadable lines by reason."""

    def __init__(self, folder: Path, plan: CorpusPlan) -> None:
        self.plan = plan
        self.roots = (folder / ".claude", folder / ".config" / "claude")
        self.spent: list[Spent] = []
        self.unreadable: Counter[str] = Counter()
        self.special = 0
        self.sessions: list[Session] = []
        self._pen = Pen(plan.seed)
        self._traps = 0
        self._answers = 0
        # A corpus of any size contains every trap at least once.
        expected = plan.files * max(_MIN_ANSWERS, plan.size // plan.files // _ANSWER)
        self._every = max(2, min(_TRAP, expected // len(TRAPS) - 2))

    def files(self) -> list[Path]:
        """The transcripts that exist now."""
        return sorted(path for root in self.roots for path in root.rglob("*.jsonl") if path.is_file())

    def grow(self, answers: int = 3) -> Path:
        """Continue the newest conversation and return its file."""
        session = max(self.sessions, key=lambda one: one.written[-1][0].at if one.written else self.plan.last)
        start = session.written[-1][0].at if session.written else self.plan.last
        with session.path.open("ab") as file:
            for line in self._conversation(session, later(start, 60), answers, 200):
                file.write(line)
        return session.path

    def clean_away(self, keep: timedelta = timedelta(days=30)) -> list[Path]:
        """Delete transcripts older than ``keep``, as the CLI does. The totals keep their usage."""
        limit = (self.plan.last - keep).timestamp()
        old = [path for path in self.files() if path.stat().st_mtime < limit]
        for path in old:
            path.unlink()
        return old

    def move(self) -> tuple[Path, Path]:
        """Rename a transcript, as a user may; returns the old and the new path."""
        path = self.files()[0]
        moved = path.with_name(f"{self._pen.uuid()}.jsonl")
        path.rename(moved)
        return path, moved

    def write(self) -> None:
        """Write all files. Called once."""
        share = self.plan.size // self.plan.files
        answers = max(_MIN_ANSWERS, share // _ANSWER)
        filler = max(share // answers - _OWN_LINES, 60)
        for number in range(self.plan.files):
            session = self._session(number)
            session.path.parent.mkdir(parents=True, exist_ok=True)
            at = self._start(number)
            with session.path.open("wb") as file:
                for line in self._history(number, session):
                    file.write(line)
                for line in self._conversation(session, at, answers, filler):
                    file.write(line)
            self.sessions.append(session)
            newest = session.written[-1][0].at.timestamp()
            os.utime(session.path, (newest, newest))
        if self.plan.traps:
            self._odd_files()

    def _session(self, number: int) -> Session:
        root = self.roots[number % _SECOND == _SECOND - 1]
        cwd = _CWDS[number % len(_CWDS)]
        if number % _AGENT == _AGENT - 1:
            parent = next(one for one in reversed(self.sessions) if one.place.agent is None)
            agent = f"a{self._pen.random.getrandbits(32):08x}"
            place = parent.place._replace(sidechain=True, agent=agent)
            folder = parent.path.with_suffix("") / "subagents"
            return Session(folder / f"agent-{agent}.jsonl", place, [])
        place = Slot(self._pen.uuid(), cwd)
        return Session(root / "projects" / place.project / f"{place.session}.jsonl", place, [])

    def _start(self, number: int) -> datetime:
        spread = timedelta(days=self.plan.days) * (self.plan.files - number) / self.plan.files
        return later(self.plan.last - spread, self._pen.random.random() * 900)

    def _history(self, number: int, session: Session) -> Iterator[bytes]:
        """The beginning of a fork: the answers of an earlier session repeated under the new session's id."""
        if number % _FORK != _FORK - 1 or session.place.agent is not None:
            return
        earlier = [
            one for one in self.sessions if one.place.project == session.place.project and not one.place.agent
        ]
        if not earlier:
            return
        origin = self._pen.random.choice(earlier)
        for reply, left in origin.written:
            if left.counted is not None and left.dated and left.named:
                fields = self._pen.answer(session.place, reply, tokens=left.counted)
                fields["requestSessionId"] = origin.place.session
                yield encode(fields)

    def _conversation(self, session: Session, at: datetime, answers: int, filler: int) -> Iterator[bytes]:
        pen = self._pen
        for _ in range(answers):
            at = min(later(at, seconds_to_next(pen)), self.plan.last + timedelta(days=1))
            yield pen.prompt(session.place, at, pen.random.randrange(filler // 2, filler + filler // 2 + 1))
            model = MODELS[pen.random.choice((0, 0, 0, 1, 1, 2, 3, 4))]
            reply = Reply(pen.name("msg"), at, model, pen.tokens(), pen.name("req"))
            yield from self._answer(session, reply)

    def _answer(self, session: Session, reply: Reply) -> list[bytes]:
        self._answers += 1
        trap: Trap = plain
        if self._answers % _EDGE == 0:
            reply = near_midnight(self._pen, reply)
        if self.plan.traps and self._answers % self._every == 0 and session.place.agent is None:
            trap = list(TRAPS.values())[self._traps % len(TRAPS)]
            self._traps += 1
        left = trap(self._pen, session.place, reply)
        session.written.append((reply, left))
        self._note(session.place, reply, left)
        return left.lines

    def _note(self, place: Slot, reply: Reply, left: Left) -> None:
        if left.unreadable is not None:
            self.unreadable[left.unreadable] += 1
        self.special += left.special
        if left.counted is not None:
            at = reply.at if left.dated else None
            self.spent.append(Spent(reply.id, at, reply.model, place.session, place.cwd, left.counted))

    def _odd_files(self) -> None:
        """Write misleading files next to the transcripts."""
        pen, first = self._pen, self.sessions[0]
        folder = first.path.parent
        (folder / "empty.jsonl").touch()
        (folder / "a-folder.jsonl").mkdir()
        (folder / "nowhere.jsonl").symlink_to(folder / "missing")
        (folder / "again").symlink_to(folder, target_is_directory=True)
        (folder / "notes.txt").write_bytes(encode(pen.answer(first.place, self._reply())))
        place = Slot(pen.uuid(), first.place.cwd)
        half = self._reply()
        whole = self._reply()
        for name, line in (
            ("half", encode(pen.answer(place, half))[:-40]),
            ("whole", encode(pen.answer(place, whole))[:-1]),
        ):
            (folder / f"{place.session}-{name}.jsonl").write_bytes(line)
        self._note(place, whole, Left([], whole.tokens))
        copy = self.roots[1] / "projects" / first.place.project / first.path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(first.path.read_bytes())

    def _reply(self) -> Reply:
        return Reply(
            self._pen.name("msg"), self.plan.last, MODELS[0], self._pen.tokens(), self._pen.name("req")
        )


def write_corpus(folder: Path, plan: CorpusPlan = CorpusPlan()) -> Corpus:  # noqa: B008 - immutable
    """Write transcripts below ``folder``, which must be empty, and return the corpus with its true totals."""
    corpus = Corpus(folder, plan)
    corpus.write()
    return corpus
