"""Shows a run on a server, event by event, to its end."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque

import msgspec

from oneseat.app.client import Link
from oneseat.cli.output import Output, output_failed
from oneseat.cli.views.receipt import nothing_ran
from oneseat.contract.errors import ErrorInfo, OneseatError, exit_code
from oneseat.contract.events import Event, Failed, Finished, Question
from oneseat.contract.protocol import Accepted, Broken, Declined, FromServer
from oneseat.contract.receipt import RunResult

from .poller import Ready, Waiting
from .questions import OWNER_SAID_NO, ask_at_terminal
from .shown import Note, Pieces, RunView
from .status_line import PERIOD_S, StatusLine

_decoder = msgspec.json.Decoder(FromServer)
#: Bytes that may wait for a slow reader of stdout before the server is no longer listened to.
_BACKLOG = 1024 * 1024
#: As much as a pipe that takes anything at all takes without a wait.
_AT_ONCE = 4096 if sys.platform != "win32" else _BACKLOG


class Following:
    """One run on a server, as this command sees it."""

    def __init__(self, link: Link, waiting: Waiting, output: Output) -> None:
        self._link = link
        self._waiting = waiting
        self._status = StatusLine(enabled=not output.quiet)
        self._shown = RunView(output, self._status)
        self._stdout = _Stdout(self._status)
        self._run_id: str | None = None
        self._declined = False
        self._cancelled = False
        self._result: RunResult | None = None

    def to_the_end(self) -> int | None:
        """Show everything; returns the exit code, or ``None`` when the server declined. Raises ``OneseatError``."""
        try:
            while self._result is None and not self._declined:
                self._step()
        finally:
            self._status.pause()
        if self._result is None:
            return None
        self._write_all(self._shown.result(self._result))
        self._write_all(self._shown.ending(self._result, written=self._stdout.failure is None))
        if self._stdout.failure is not None:
            raise output_failed(self._stdout.failure, self._run_id)
        error = self._result.error
        return 0 if error is None else exit_code(error.code)

    def _step(self) -> None:
        self._status.draw()
        ready = self._waiting.wait(
            server=self._stdout.pending < _BACKLOG,
            stdout=self._stdout.pending > 0,
            limit_s=PERIOD_S if self._status.shown else None,
        )
        self._stdout.go_on(ready)
        if self._waiting.stopped or self._stdout.gone:
            self._cancel()
        if ready.server:
            self._listen()

    def _write_all(self, pieces: Pieces) -> None:
        self._stdout.add(pieces)
        while self._stdout.pending > 0:
            self._stdout.go_on(self._waiting.wait(server=False, stdout=True, limit_s=None))

    def _cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._say("cancel")

    def _listen(self) -> None:
        try:
            lines = self._link.read()
        except EOFError:
            self._server_is_gone()
            return
        for line in lines:
            self._take(_decoder.decode(line))

    def _take(self, said: object) -> None:
        match said:
            case Accepted():
                self._run_id = said.run_id
            case Declined():
                self._declined = True
            case Broken():
                raise OneseatError(said.error)
            case Finished() | Failed():
                self._result = said.result
            case Event():
                self._stdout.add(self._shown.event(said))
                if isinstance(said, Question):
                    self._ask(said)
            case _:
                pass

    def _ask(self, question: Question) -> None:
        if not self._link.asks:
            return

        def work() -> None:
            with self._status.asking():
                allowed = ask_at_terminal(question)
            self._say("answer", id=question.id, allowed=allowed, why=OWNER_SAID_NO)

        # A daemon thread: a cancelled run must not wait for somebody to press a key.
        threading.Thread(target=work, name="oneseat-question", daemon=True).start()

    def _say(self, kind: str, **fields: object) -> None:
        with contextlib.suppress(OSError):  # the next read says that the server is gone
            self._link.say(kind, **fields)

    def _server_is_gone(self) -> None:
        if self._run_id is None:
            self._declined = True
            return
        self._result = _recorded(self._run_id, self._link.hello["pid"])


def _recorded(run_id: str, pid: int) -> RunResult:
    """The result of a run whose server is gone. Reading the ledger closes the runs that the server left."""
    from oneseat.app import Installation  # noqa: PLC0415 - the ledger takes longer to load than a run on a server
    from oneseat.app.runs import find_result  # noqa: PLC0415 - as above

    try:
        stored = find_result(Installation(), run_id)
    except OneseatError:  # the server ended before it recorded the run
        stored = None
    if stored is not None and stored.status != "cancelled":
        # The run had ended; only the connection was cut.
        return stored
    error = ErrorInfo(
        code="provider.server_gone",
        message=f"The server ended before the run did: `{pid}`",
        hint=f"See what is known of the run: `oneseat show {run_id}`",
        whose_turn="provider",
    )
    return msgspec.structs.replace(stored or nothing_ran(error), run_id=run_id, status="failed", error=error)


class _Stdout:
    """What is still to be written, in order: bytes as stdout takes them, notes when all bytes before them are out."""

    def __init__(self, status: StatusLine) -> None:
        self._status = status
        self.gone = False
        self.failure: OSError | None = None
        self._descriptor = sys.stdout.fileno()
        self._pieces: deque[memoryview | Note] = deque()

    @property
    def pending(self) -> int:
        """How many bytes wait for the reader."""
        return sum(len(piece) for piece in self._pieces if isinstance(piece, memoryview))

    def add(self, pieces: Pieces) -> None:
        """Write these after everything else."""
        self._pieces.extend(piece if isinstance(piece, Note) else memoryview(piece) for piece in pieces)
        self._tell_notes()

    def go_on(self, ready: Ready) -> None:
        """Write what stdout takes now."""
        if ready.gone and not self.gone:
            self._give_up()
        piece = self._pieces[0] if self._pieces else None
        if ready.stdout and isinstance(piece, memoryview):
            self._write(piece)

    def _write(self, piece: memoryview) -> None:
        try:
            written = os.write(self._descriptor, piece[:_AT_ONCE])
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.failure = error
            self._give_up()
            return
        if written < len(piece):
            self._pieces[0] = piece[written:]
        else:
            self._pieces.popleft()
        self._tell_notes()

    def _give_up(self) -> None:
        self.gone = True
        self._tell_notes()

    def _tell_notes(self) -> None:
        while self._pieces and (self.gone or isinstance(self._pieces[0], Note)):
            piece = self._pieces.popleft()
            if isinstance(piece, Note):
                self._status.interrupt(piece.text)
