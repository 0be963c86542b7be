"""Describes how a child process ended and what it printed on stderr."""

from __future__ import annotations

from collections.abc import Callable

from oneseat.contract.events import Stderr

from .child import Tail

_SHELL_SIGNAL = 128
#: How many characters of the end of stderr an event carries.
_KEPT = 8000
_LONGEST_CREDENTIAL = 4096


def stderr_event(tail: Tail, redact: Callable[[str], str]) -> Stderr | None:
    """An event with the end of stderr; ``None`` when it is empty."""
    text = tail.text
    if tail.cut:
        # The first line is cut: a credential in it could not be recognised and redacted.
        line_end = text.find("\n", 0, _LONGEST_CREDENTIAL)
        text = text[line_end + 1 if line_end >= 0 else _LONGEST_CREDENTIAL :]
    text = redact(text.strip())
    if not text:
        return None
    return Stderr(text=text[-_KEPT:], cut=tail.cut or len(text) > _KEPT)


def was_killed(returncode: int | None) -> bool:
    """Whether a signal ended it. Shells, and some programs, report a signal as 128 plus its number."""
    return returncode is not None and (returncode < 0 or _SHELL_SIGNAL < returncode <= _SHELL_SIGNAL + 64)


def describe_exit(returncode: int | None) -> str:
    """How a process ended, as a clause that follows its name."""
    if returncode is not None and returncode < 0:
        return f"was killed by signal {-returncode}"
    return f"ended with exit code {returncode}"
