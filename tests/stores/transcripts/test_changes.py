"""Whatever happens to transcripts: what was seen stays counted, once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)

from oneseat.stores.transcripts import update
from oneseat.testing.corpus import CorpusPlan, Tokens, write_corpus
from oneseat.testing.corpus.lines import Pen, Reply, Slot, encode

from .indexed import ask
from .reference import count

PEN = Pen(11)
PLACE = Slot("5e551010-0000-4000-8000-000000000001", "/home/me/shop")
AT = CorpusPlan().last


def line(tokens: Tokens, name: str | None = None) -> bytes:
    """A line with an answer."""
    return encode(
        PEN.answer(PLACE, Reply(name or PEN.name("msg"), AT, "claude-sonnet-5-5", tokens, PEN.name("req")))
    )


def transcript(root: Path, name: str = "one") -> Path:
    """The path of a transcript, in a folder that is there."""
    folder = root / "projects" / PLACE.project
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.jsonl"


class Files(RuleBasedStateMachine):
    """Transcripts that grow, are cut, rewritten, replaced, moved and deleted, with an index that looks now and then.

    The model is the set of all answers that were there when the index looked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.seen: dict[str, tuple[int, ...]] = {}
        self.number = 0

    names = Bundle("names")

    @initialize(target=names)
    def begin(self) -> object:
        return multiple("one", "two", "sub/three")

    def path(self, name: str) -> Path:
        path = transcript(self.root, name)
        path.parent.mkdir(exist_ok=True)
        return path

    def fresh(self, amount: int) -> bytes:
        self.number += 1
        return line(Tokens(self.number, amount, 1, 2, 3))

    @rule(name=names, amounts=st.lists(st.integers(1, 999), min_size=1, max_size=3))
    def grow(self, name: str, amounts: list[int]) -> None:
        with self.path(name).open("ab") as file:
            file.write(b"".join(self.fresh(amount) for amount in amounts))

    @rule(name=names, amount=st.integers(1, 999), share=st.floats(0.01, 0.99))
    def write_half_a_line(self, name: str, amount: int, share: float) -> None:
        whole = self.fresh(amount)
        with self.path(name).open("ab") as file:
            file.write(whole[: int(len(whole) * share)])

    @rule(name=names, amount=st.integers(1, 999))
    def leave_the_last_line_open(self, name: str, amount: int) -> None:
        with self.path(name).open("ab") as file:
            file.write(self.fresh(amount).rstrip(b"\n"))

    @rule(name=names)
    def end_the_line(self, name: str) -> None:
        with self.path(name).open("ab") as file:
            file.write(b"\n")

    @rule(name=names, share=st.floats(0, 1))
    def cut(self, name: str, share: float) -> None:
        path = self.path(name)
        if path.exists():
            os.truncate(path, int(path.stat().st_size * share))

    @rule(name=names, amount=st.integers(1, 999), same_size=st.booleans())
    def rewrite(self, name: str, amount: int, same_size: bool) -> None:
        path = self.path(name)
        size = path.stat().st_size if path.exists() else 0
        new = self.fresh(amount)
        new += b"\n" * (size - len(new)) if same_size else b""
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(new)
            file.truncate()

    @rule(name=names, amount=st.integers(1, 999))
    def replace(self, name: str, amount: int) -> None:
        new = self.path(name).with_suffix(".new")
        new.write_bytes(self.fresh(amount))
        new.replace(self.path(name))

    @rule(name=names, other=names)
    def move(self, name: str, other: str) -> None:
        if self.path(name).exists():
            self.path(name).replace(self.path(other))

    @rule(name=names, other=names)
    def copy(self, name: str, other: str) -> None:
        if self.path(name).exists() and name != other:
            shutil.copy(self.path(name), self.path(other))

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    @rule()
    def look(self) -> None:
        for name, counted in count([self.root]).items():
            if counted.tokens > self.seen.get(name, ()):
                self.seen[name] = counted.tokens
        total = Tokens(*(sum(tokens[kind] for tokens in self.seen.values()) for kind in range(5)))
        assert ask(self.root / "usage.db", [self.root]).total == total

    def teardown(self) -> None:
        self.look()
        shutil.rmtree(self.root)


def test_whatever_happens_to_files_what_was_seen_stays_counted() -> None:
    run_state_machine_as_test(
        Files, settings=settings(max_examples=60, stateful_step_count=25, deadline=None)
    )


def test_a_file_that_grows_is_read_from_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = transcript(tmp_path)
    path.write_bytes(line(Tokens(output=1)) * 1000)
    ask(tmp_path / "usage.db", [tmp_path])
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(line(Tokens(output=5)))
    starts: list[int] = []
    stream = update.Update._stream

    def noted(self: update.Update, file: object, start: int, size: int, origin: object) -> object:
        starts.append(start)
        return stream(self, file, start, size, origin)  # type: ignore[arg-type]

    monkeypatch.setattr(update.Update, "_stream", noted)
    assert ask(tmp_path / "usage.db", [tmp_path]).total.output == 6
    assert starts == [size]


def test_a_gigantic_line_is_skipped_and_counted_and_what_follows_is_not_lost(tmp_path: Path) -> None:
    path = transcript(tmp_path)
    much = b"x" * update.LONGEST_LINE
    harmless = b'{"type":"user","text":"' + much + much + b'"}\n'
    hiding = line(Tokens(output=7)).replace(b'"content":[', b'"content":["' + much + b'",')
    path.write_bytes(
        line(Tokens(output=1)) + harmless + line(Tokens(output=2)) + hiding + line(Tokens(output=4))
    )
    asked = ask(tmp_path / "usage.db", [tmp_path])
    assert asked.total.output == 7
    assert asked.notes == {"too_long": 1}


def test_a_gigantic_line_without_an_end_is_read_again_when_it_has_one(tmp_path: Path) -> None:
    path = transcript(tmp_path)
    path.write_bytes(line(Tokens(output=1)) + b'{"a":"' + b"x" * (update.LONGEST_LINE + 10))
    ask(tmp_path / "usage.db", [tmp_path])
    with path.open("ab") as file:
        file.write(line(Tokens(output=9)).rstrip(b"\n") + b'"}\n' + line(Tokens(output=2)))
    asked = ask(tmp_path / "usage.db", [tmp_path])
    assert asked.total.output == 3


def test_lines_of_every_length_around_a_buffer_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "LONGEST_LINE", 4000)
    path, expected = transcript(tmp_path), 0
    with path.open("wb") as file:
        for size in range(1, 3900, 11):
            file.write(
                b'{"filler":"' + b"x" * size + b'"}\n' + line(Tokens(output=size))[:-1].ljust(1) + b"\n"
            )
            expected += size
    asked = ask(tmp_path / "usage.db", [tmp_path])
    assert asked.notes.get("too_long", 0) == 0
    assert asked.total.output == expected


def test_what_cannot_be_opened_is_counted_and_read_when_it_can(tmp_path: Path, ordinary_user: Path) -> None:
    path, folder = transcript(ordinary_user), ordinary_user / "projects" / "closed"
    path.write_bytes(line(Tokens(output=3)))
    folder.mkdir()
    path.chmod(0)
    folder.chmod(0)
    asked = ask(ordinary_user / "usage.db", [ordinary_user])
    assert (asked.total.output, asked.notes) == (0, {"unreadable": 1, "closed_folders": 1})
    path.chmod(0o600)
    folder.chmod(0o700)
    asked = ask(ordinary_user / "usage.db", [ordinary_user])
    assert (asked.total.output, asked.notes) == (3, {})


def test_a_pipe_a_socket_of_a_name_and_a_name_that_is_no_text_are_no_trouble(tmp_path: Path) -> None:
    os.mkfifo(transcript(tmp_path, "pipe"))
    strange = transcript(tmp_path).parent / os.fsdecode(b"caf\xe9 \xff\n.jsonl")
    strange.write_bytes(line(Tokens(output=8)))
    asked = ask(tmp_path / "usage.db", [tmp_path])
    assert asked.total.output == 8
    assert ask(tmp_path / "usage.db", [tmp_path]).total.output == 8


def test_a_folder_that_vanishes_while_it_is_read_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        transcript(tmp_path, name).write_bytes(line(Tokens(output=8)))
    run = update.Update.run

    def late(self: update.Update) -> None:
        shutil.rmtree(tmp_path / "projects")
        run(self)

    monkeypatch.setattr(update.Update, "run", late)
    asked = ask(tmp_path / "usage.db", [tmp_path])
    assert (asked.total.output, asked.notes) == (0, {})


def test_no_configuration_folder_at_all_is_an_empty_history(tmp_path: Path) -> None:
    asked = ask(tmp_path / "usage.db", [tmp_path / "nothing", tmp_path / "there"])
    assert (asked.rows, asked.notes) == ([], {})


_INDEXER = """
import sys
from pathlib import Path
from tests.stores.transcripts.indexed import ask
print(list(ask(Path(sys.argv[1]), [Path(root) for root in sys.argv[2:]]).total))
"""


def indexers(number: int, index: Path, roots: Iterable[Path]) -> list[str]:
    """Start several processes at once that bring one index up to date; returns what each of them printed."""
    command = [sys.executable, "-c", _INDEXER, str(index), *map(str, roots)]
    root = Path(__file__).resolve().parents[3]
    running = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(number)]
    return [process.communicate()[0].strip() for process in running]


def test_several_indexers_at_once_count_everything_once(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", CorpusPlan(files=40, size=2_000_000))
    total = [sum(one.tokens[kind] for one in corpus.spent) for kind in range(5)]
    assert indexers(4, tmp_path / "usage.db", corpus.roots) == [str(total)] * 4
    corpus.grow(20)
    total = [sum(one.tokens[kind] for one in corpus.spent) for kind in range(5)]
    assert indexers(4, tmp_path / "usage.db", corpus.roots) == [str(total)] * 4
