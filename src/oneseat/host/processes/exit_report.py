"""How a child ended and what it last said, in words for people."""

from __future__ import annotations

from collections.abc import Callable

from oneseat.contract.events import Stderr

from .child import Tail

_SHELL_SIGNAL = 128
#: How many characters of the end of stderr an event carries.
_KEPT = 8000
_LONGEST_CREDENTIAL = 4096


def stderr_event(tail: Tail, redact: Callable[[str], str]) -> Stderr | None:
    """An event for what was printed on stderr; ``None`` when that is nothing."""
    text = tail.text
    if tail.cut:
        # The first line lost its beginning: a credential in it would no longer be recognised.
        line_end = text.find("\n", 0, _LONGEST_CREDENTIAL)
        text = text[line_end + 1 if line_end >= 0 else _LONGEST_CREDENTIAL :]
    text = redact(text.strip())
    if not text:
        return None
    return Stderr(text=text[-_KEPT:], cut=tail.cut or len(text) > _KEPT)


def was_killed(returncode: int | None) -> bool:
    """Whether a signal ended it; a shell around it, and some programs themselves, report 128 and the signal's number."""
    return returncode is not None and (returncode < 0 or _SHELL_SIGNAL < returncode <= _SHELL_SIGNAL + 64)


def describe_exit(returncode: int | None) -> str:
    """The end of a process, to go after its name."""
    if returncode is not None and returncode < 0:
        return f"was ended by signal {-returncode}"
    return f"ended with exit code {returncode}"
