"""Looks at the process that really answered: a script around the CLI can change everything oneseat gave to it.

What the CLI says of itself is not enough: neither another address nor added headers show in it (measured on claude 2.1.197
and 2.1.329).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

import msgspec
import psutil

from oneseat.contract.billing_names import billing_name
from oneseat.contract.facts import CredentialSource

from .credentials import Named, child_sources, missing_names
from .processes.tree import MARKER

#: Where a process of this user can always be read. Elsewhere the system may hide what is in one.
_ALWAYS_READABLE = sys.platform == "linux"
#: Makes the CLI ignore every subscription login. oneseat never asks for it.
_KEYS_ONLY = "--bare"


class Sighting(msgspec.Struct, frozen=True):
    """What was added to the environment, whether it could be read at all, and why the process is not the one oneseat started.

    ``strange`` quotes names and numbers only; it is ``None`` when everything is as it should be.
    """

    sources: tuple[CredentialSource, ...] = ()
    readable: bool = True
    strange: str | None = None


def look_at(
    started: int,
    answered: int | None,
    run_id: str,
    expected: Mapping[str, str],
    named: Named = billing_name,
) -> Sighting:
    """Look at the process ``started`` by oneseat with the environment ``expected``, and at the one that ``answered``.

    They differ where a script starts the CLI and waits for it. A process that is not below the started one is not read:
    it is a stranger's, or the CLI is somewhere else (in a container, say) and its process id means nothing here. ``named`` knows
    the names that decide who pays with this CLI.
    """
    given = {**expected, MARKER: run_id}
    if answered is None or answered == started:
        return _joined([_look(started, given, named)])
    if not _is_below(answered, started):
        stranger = Sighting(strange=f"process `{answered}`, which answered, was not started by oneseat")
        return _joined([_look(started, given, named), stranger])
    return _joined([_look(started, given, named), _look(answered, given, named)])


def _look(pid: int, given: Mapping[str, str], named: Named) -> Sighting:
    try:
        process = psutil.Process(pid)
        environ, arguments = process.environ(), process.cmdline()
    except (psutil.Error, OSError):
        environ, arguments = {}, []
    if not environ:
        # On Linux this means another user, or a process that is gone; elsewhere it can be the system's usual caution.
        return Sighting(
            readable=False, strange=f"process `{pid}` cannot be read" if _ALWAYS_READABLE else None
        )
    return Sighting(child_sources(environ, given, named), strange=_strange(environ, arguments, given, named))


def _strange(
    environ: Mapping[str, str], arguments: Iterable[str], given: Mapping[str, str], named: Named
) -> str | None:
    if environ.get(MARKER) != given[MARKER]:
        return f"its environment is not the one oneseat gave it: `{MARKER}` is missing or changed"
    missing = [f"`{name}`" for name in missing_names(environ, given, named)]
    if missing:
        return f"its environment is not the one oneseat gave it: {', '.join(missing)} is missing"
    if _KEYS_ONLY in arguments:
        return f"its command line has `{_KEYS_ONLY}`, which makes it ignore every login"
    return None


def _joined(sightings: list[Sighting]) -> Sighting:
    return Sighting(
        sources=tuple(dict.fromkeys(source for each in sightings for source in each.sources)),
        readable=all(each.readable for each in sightings),
        strange=next((each.strange for each in sightings if each.strange is not None), None),
    )


def _is_below(pid: int, ancestor: int) -> bool:
    try:
        return any(parent.pid == ancestor for parent in psutil.Process(pid).parents())
    except psutil.Error:
        return False
