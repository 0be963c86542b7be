"""Inspects the process that answered: a wrapper script can change everything that oneseat passed to the CLI.

What the CLI reports of itself is not enough: it shows neither a changed base URL nor added headers (measured on claude
2.1.197 and 2.1.329).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

import msgspec
import psutil

from oneseat.contract.billing_names import BillingNames
from oneseat.contract.facts import CredentialSource
from oneseat.host.processes.tree import MARKER

from .environment_scan import child_sources, missing_names

#: Linux lets a user read their own processes. Other systems may not show a process's environment.
_ALWAYS_READABLE = sys.platform == "linux"
#: Makes `claude` ignore every subscription login. oneseat never passes it.
_KEYS_ONLY = "--bare"


class ProcessCheck(msgspec.Struct, frozen=True):
    """What was added to the environment, whether it could be read, and why the process is not as oneseat started it.

    ``tampering`` quotes names and numbers only; it is ``None`` when everything is as expected.
    """

    sources: tuple[CredentialSource, ...] = ()
    readable: bool = True
    tampering: str | None = None


def inspect_process(
    started: int, answered: int | None, run_id: str, expected: Mapping[str, str], names: BillingNames
) -> ProcessCheck:
    """Inspect the process ``started`` by oneseat with the environment ``expected``, and the one that ``answered``.

    They differ if a script starts the CLI and waits for it. A process that is not a descendant of the started one is not read:
    it is unrelated, or the CLI runs elsewhere (such as in a container) and its process id means nothing here. ``names`` are the
    variables that decide who pays with this CLI.
    """
    given = {**expected, MARKER: run_id}
    first = _inspect(started, given, names)
    if answered is None or answered == started:
        return first
    if not _is_below(answered, started):
        foreign = ProcessCheck(tampering=f"process `{answered}`, which answered, was not started by oneseat")
        return joined([first, foreign])
    return joined([first, _inspect(answered, given, names)])


def joined(checks: list[ProcessCheck]) -> ProcessCheck:
    """Combine several checks into one."""
    return ProcessCheck(
        sources=tuple(dict.fromkeys(source for each in checks for source in each.sources)),
        readable=all(each.readable for each in checks),
        tampering=next((each.tampering for each in checks if each.tampering is not None), None),
    )


def _inspect(pid: int, given: Mapping[str, str], names: BillingNames) -> ProcessCheck:
    try:
        process = psutil.Process(pid)
        environ, arguments = process.environ(), process.cmdline()
    except (psutil.Error, OSError):
        environ, arguments = {}, []
    if not environ:
        # On Linux this means another user's process or one that has ended; other systems may refuse for any process.
        why = f"process `{pid}` cannot be read" if _ALWAYS_READABLE else None
        return ProcessCheck(readable=False, tampering=why)
    return ProcessCheck(
        child_sources(environ, given, names), tampering=_tampering(environ, arguments, given, names)
    )


def _tampering(
    environ: Mapping[str, str], arguments: Iterable[str], given: Mapping[str, str], names: BillingNames
) -> str | None:
    if environ.get(MARKER) != given[MARKER]:
        return f"its environment is not the one oneseat gave it: `{MARKER}` is missing or changed"
    missing = [f"`{name}`" for name in missing_names(environ, given, names)]
    if missing:
        return f"its environment is not the one oneseat gave it: {', '.join(missing)} is missing"
    if _KEYS_ONLY in arguments:
        return f"its command line has `{_KEYS_ONLY}`, which makes it ignore every login"
    return None


def _is_below(pid: int, ancestor: int) -> bool:
    try:
        return any(parent.pid == ancestor for parent in psutil.Process(pid).parents())
    except psutil.Error:
        return False
