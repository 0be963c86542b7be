"""The standard streams: always there, printed without control characters, and with an error where writing fails."""

from __future__ import annotations

import os
import stat
import sys
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO

if TYPE_CHECKING:
    from oneseat.contract.errors import UsageError

#: A terminal obeys control characters: text from elsewhere must not move the cursor or rename the window.
_CONTROL = {code: "\ufffd" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}
#: The same as JSON writes it. JSON itself escapes only what is below 32.
_ESCAPED = {code: f"\\u{code:04x}" for code in range(127, 160)}

#: The exit code of a command whose reader left.
CANCELLED = 130


#: What a command prints on stdout.
Form = Literal["text", "json", "stream-json"]


class Output(NamedTuple):
    """The form of stdout, and whether stderr stays without receipt and status line."""

    form: Form
    quiet: bool


@cache
def read_stdin(limit: int) -> bytes:
    """Up to ``limit`` bytes of standard input. It can be read once: every later call gets the same bytes."""
    return sys.stdin.buffer.read(limit)


def printable(text: str) -> str:
    """``text`` with every control character but line ends and tabs replaced."""
    return text.translate(_CONTROL)


def printable_json(line: bytes) -> bytes:
    """JSON that means the same and holds no control character."""
    return line.decode("utf-8").translate(_ESCAPED).encode("utf-8")


def fill_standard_streams() -> None:
    """Open the null device for each standard stream that is closed.

    Python leaves ``None`` there, and the next file that is opened would take its number and get what is printed.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def can_be_left(descriptor: int) -> bool:
    """Whether a poll tells when the reader of this output has gone away: a pipe or a socket does so, without an event asked for."""
    mode = os.fstat(descriptor).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def echo(text: str | bytes, *, newline: bool = True) -> None:
    """Print text, or JSON as bytes, on standard output. Ends the command when its reader has gone away.

    Raises ``UsageError`` ``usage.output`` when it cannot be written.
    """
    data = printable_json(text) if isinstance(text, bytes) else printable(text).encode("utf-8", "replace")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data + b"\n" if newline else data)
        sys.stdout.buffer.flush()
    except OSError as error:
        _forget_unwritten(sys.stdout)
        if isinstance(error, BrokenPipeError):
            from click.exceptions import Exit  # noqa: PLC0415 - a run that a server does is shown without click

            raise Exit(CANCELLED) from error
        raise output_failed(error) from error


def complain(text: str) -> None:
    """Write to standard error; without a reader, nothing happens."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _forget_unwritten(sys.stderr)


def output_failed(error: OSError, run_id: str | None = None) -> UsageError:
    """The error of an output that cannot be written; ``run_id`` names the run whose answer it was."""
    from oneseat.contract.errors import ErrorInfo, UsageError  # noqa: PLC0415 - loaded after a request is on its way

    return UsageError(
        ErrorInfo(
            code="usage.output",
            message=f"Cannot write standard output: `{error.strerror or error}`",
            hint=None
            if run_id is None
            else f"Look for the answer in the ledger: `oneseat show {run_id} --json`",
        )
    )


def _forget_unwritten(stream: TextIO) -> None:
    # Or the interpreter would write the rest at exit, fail again, and print a message of its own.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
