"""The standard streams: always there, printed without control characters, and with an error where writing fails."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO

from .screen import printable, rendered

if TYPE_CHECKING:
    from oneseat.contract.errors import UsageError

#: Control characters as JSON writes them. JSON itself escapes only what is below 32.
_ESCAPED = {code: f"\\u{code:04x}" for code in range(127, 160)}

#: The exit code of a command whose reader left.
CANCELLED = 130


#: How long a pipe on standard input may take to deliver its first byte, in seconds.
_FIRST_BYTE_S = 3.0

#: What a command prints on stdout.
OutputFormat = Literal["text", "json", "stream-json"]


class Output(NamedTuple):
    """The form of stdout, and whether stderr stays without receipt and status line."""

    form: OutputFormat
    quiet: bool


@cache
def read_stdin(limit: int) -> bytes:
    """Up to ``limit`` bytes of standard input. It can be read once: every later call gets the same bytes."""
    return sys.stdin.buffer.read(limit)


@cache
def read_beside_prompt(limit: int) -> bytes:
    """Up to ``limit`` bytes of a file or pipe on standard input, for a prompt that is an argument; empty without one.

    A pipe in which nothing arrives within three seconds may stay open for ever: it is left alone, which stderr says.
    """
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):  # a closed standard input, or none
        return b""
    if stat.S_ISREG(mode):
        return read_stdin(limit)
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):  # a terminal, or the null device
        return b""
    if sys.platform != "win32" and not select.select([sys.stdin], [], [], _FIRST_BYTE_S)[0]:
        complain(
            "note: nothing came on standard input within 3 s, so only the prompt is sent; to say so: `< /dev/null`\n"
        )
        return b""
    return read_stdin(limit)


def check_stdout() -> None:
    """Raises ``UsageError`` ``usage.output`` when standard output is closed: an answer would be paid for and lost."""
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - Windows has none

        if fcntl.fcntl(sys.stdout.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise output_failed(OSError(errno.EBADF, os.strerror(errno.EBADF)))


def printable_json(line: bytes) -> bytes:
    """JSON that means the same and holds no control character."""
    return line.decode("utf-8").translate(_ESCAPED).encode("utf-8")


def fill_standard_streams() -> None:
    """Open the null device for each standard stream that is closed.

    Python leaves ``None`` there, and the next file that is opened would take its number and get what is printed. Standard
    output is opened for reading only, so that printing fails instead of losing what a command was asked for.
    """
    for name, mode, access in (
        ("stdin", "r", os.O_RDWR),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_RDWR),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, access), mode, encoding="utf-8"))


def can_be_left(descriptor: int) -> bool:
    """Whether a poll tells when the reader of this output has gone away: a pipe or a socket does so, without an event asked for."""
    mode = os.fstat(descriptor).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def echo(text: str | bytes, *, newline: bool = True) -> None:
    """Print text, or JSON as bytes, on standard output. Ends the command when its reader has gone away.

    Raises ``UsageError`` ``usage.output`` when it cannot be written.
    """
    data = printable_json(text) if isinstance(text, bytes) else _shown(text)
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


def _shown(text: str) -> bytes:
    return rendered(printable(text), sys.stdout).encode("utf-8", "replace")


def complain(text: str) -> None:
    """Write to standard error; without a reader, nothing happens."""
    try:
        sys.stderr.write(rendered(text, sys.stderr))
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
