"""A command on a terminal of its own, as a person types it."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import time

from .driving import KILL_AFTER_S, Done, Seat, done

#: The first terminal that the leader of a session opens is the one that controls it.
_ON_TERMINAL = (
    "import os, sys\n"
    "terminal = os.open(sys.argv[1], os.O_RDWR)\n"
    "for number in range(3):\n"
    "    os.dup2(terminal, number)\n"
    "os.execv(sys.argv[2], sys.argv[2:])"
)


class Terminal:
    """One command with its controlling terminal. Leaving the context kills it if it still runs."""

    def __init__(self, seat: Seat, *arguments: str) -> None:
        self._arguments = arguments
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-IS", "-c", _ON_TERMINAL, os.ttyname(slave), *seat.command, *arguments],
            env=seat.env | {"TERM": "dumb"},
            cwd=seat.cwd,
            start_new_session=True,
        )
        # Kept open until the command has its own: reading from a terminal that nobody has open yet would be its end.
        self._slave: int | None = slave
        self._looked = 0
        self._seen = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._leave()
        os.close(self._master)

    def read_until(self, wanted: str) -> str:
        """What came since the last call, up to ``wanted``. Waits for exactly that, and fails when the command ends first."""
        end = time.monotonic() + KILL_AFTER_S
        while wanted.encode() not in self._seen[self._looked :]:
            assert self._read(end - time.monotonic()), (wanted, self._seen.decode())
        end_of_wanted = self._seen.index(wanted.encode(), self._looked) + len(wanted.encode())
        new = self._seen[self._looked : end_of_wanted].decode()
        self._looked = end_of_wanted
        return new

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._master, f"{text}\n".encode())

    def press(self, key: str) -> None:
        """Press one key, such as Ctrl-C."""
        os.write(self._master, key.encode())

    def is_quiet_for(self, seconds: float) -> bool:
        """Whether nothing more comes within this time."""
        return not select.select([self._master], [], [], seconds)[0]

    def interrupt(self, question: str) -> None:
        """Wait for a question and press Ctrl-C: once more where nothing came of it, as a person does.

        Between the last character of a question and the reading of the answer, Python notes a signal and goes on to read.
        """
        self.read_until(question)
        while self._process.poll() is None:
            os.write(self._master, b"\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and answer it."""
        self.read_until(question)
        self.type(text)

    def finish(self) -> Done:
        """Read to the end; all of it is on the screen, and so in ``stdout``."""
        end = time.monotonic() + KILL_AFTER_S
        while self._read(end - time.monotonic()):
            pass
        code = self._process.wait(KILL_AFTER_S)
        return done(self._arguments, code, self._seen.replace(b"\r\n", b"\n"), b"")

    def _leave(self) -> None:
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None

    def _read(self, limit_s: float) -> bool:
        if not select.select([self._master], [], [], max(limit_s, 0))[0]:
            return False
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # how Linux says that nobody has the other end any more
            return False
        self._seen += piece
        # From here on the command has the terminal open, and its end is the end of reading.
        self._leave()
        return bool(piece)
