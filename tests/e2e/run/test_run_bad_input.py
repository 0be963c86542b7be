"""What `oneseat run` says to bad input: the exit code, one message with the value in it, at most one hint, nothing lost."""

from __future__ import annotations

import os
import pty
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.driving import Seat, check_snapshot, fake_seat
from tests.e2e.refusals import refused


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    """A seat whose CLI would answer anything: what is refused here is refused by oneseat."""
    return fake_seat(tmp_path, "ok")[0]


class Case(NamedTuple):
    arguments: tuple[str, ...]
    stdin: bytes | None = None


TOO_MUCH = 10_000_001
CASES = {
    "empty-prompt": Case(("run", "")),
    "blank-prompt": Case(("run", " \t\r\n\u3000")),
    "empty-stdin": Case(("run",), b""),
    "blank-stdin": Case(("run", "-"), b"\n\n"),
    "stdin-not-utf8": Case(("run",), b"first line\nsecond \xff line"),
    "stdin-too-large": Case(("run",), b"x" * TOO_MUCH),
    "argument-not-utf8": Case(("run", b"caf\xe9".decode("utf-8", "surrogateescape"))),
    "system-not-utf8": Case(("run", "hello", "--system", b"caf\xe9".decode("utf-8", "surrogateescape"))),
    "file-missing": Case(("run", "hello", "--file", "nowhere.txt")),
    "file-name-not-utf8": Case(("run", "hello", "--file", b"caf\xe9".decode("utf-8", "surrogateescape"))),
    "file-is-folder": Case(("run", "hello", "--file", "folder")),
    "file-binary": Case(("run", "hello", "--file", "program.bin")),
    "file-too-large": Case(("run", "hello", "--file", "large.txt")),
    "file-piped-binary": Case(("run", "hello", "--file", "-"), b"MZ\x00\xff\xfe"),
    "system-file-missing": Case(("run", "hello", "--system-file", "nowhere.txt")),
    "system-file-not-utf8": Case(("run", "hello", "--system-file", "latin1.txt")),
    "model-empty": Case(("run", "hello", "--model", "")),
    "unknown-option": Case(("run", "hello", "--jsno")),
    "option-without-value": Case(("run", "hello", "--model")),
    "two-prompts": Case(("run", "hello", "world")),
    "two-forms": Case(("run", "hello", "--stream-json", "--json")),
    "two-systems": Case(("run", "hello", "--system", "a", "--system-file", "latin1.txt")),
    "stdin-twice": Case(("run", "-", "--file", "-"), b"hello"),
    "files-from-stdin-twice": Case(("run", "hello", "--file", "-", "--file", "-"), b"hello"),
    "timeout-not-a-number": Case(("run", "hello", "--timeout", "soon")),
    "timeout-zero": Case(("run", "hello", "--timeout", "0")),
    "timeout-nan": Case(("run", "hello", "--timeout", "nan")),
    "unknown-command": Case(("rnu", "hello")),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_before_anything_starts(name: str, seat: Seat) -> None:
    (seat.cwd / "folder").mkdir()
    (seat.cwd / "latin1.txt").write_bytes(b"caf\xe9")
    (seat.cwd / "program.bin").write_bytes(b"\x7fELF\x00\xff")
    with (seat.cwd / "large.txt").open("wb") as large:
        large.truncate(TOO_MUCH)
    assert refused(f"input-{name}", seat, *CASES[name].arguments, stdin=CASES[name].stdin).code == 2
    assert not seat.home.exists()


NOT_LOOPBACK = {
    "host": "http://simulator.example:8700",
    "address": "http://10.0.0.7:8700/s/ok",
    "look-alike": "http://127.0.0.1.example:8700",
    "user": "http://127.0.0.1:8700@simulator.example",
    "secret": "http://me:hunter2secret@127.0.0.1:8700?key=hunter2secret",
    "tls": "https://127.0.0.1:8700",
    "no-port": "http://localhost",
    "port": "http://127.0.0.1:70000",
    "file": "file:///etc/passwd",
    "empty": "",
}


@pytest.mark.parametrize("name", NOT_LOOPBACK)
def test_a_simulator_is_on_this_machine_or_refused(name: str, seat: Seat) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = NOT_LOOPBACK[name]
    ended = refused(f"simulator-url-{name}", seat, "run", "hello")
    assert (ended.code, "usage.simulator_not_loopback" in ended.stderr) == (2, True)
    assert "hunter2secret" not in ended.stderr
    assert not seat.home.exists()


def test_nothing_is_read_from_a_terminal(seat: Seat) -> None:
    # At a terminal, a command that silently waits for input looks like one that hangs.
    master, slave = pty.openpty()
    with open(slave, "rb", buffering=0) as terminal, seat.start("run", stdin=terminal) as live:  # noqa: PTH123
        ended = live.finish()
    os.close(master)
    check_snapshot("input-none", seat, ended)


def test_in_a_stream_the_refusal_is_the_last_line(seat: Seat) -> None:
    (line,) = seat.run("run", "", "--stream-json").lines
    assert (line["type"], line["status"], line["error"]["code"]) == ("result", "failed", "usage.empty_prompt")


def test_what_follows_two_dashes_chooses_no_form(seat: Seat) -> None:
    ended = seat.run("run", "--model", "", "--", "--json")
    assert (ended.code, ended.stdout) == (2, "")
