"""Inspects the process that answered: a wrapper script can change everything that oneseat passed to the CLI.

What the CLI says of itself is not enough: it shows neither another address nor added headers (measured on claude 2.1.197
and 2.1.329). So its environment, command line, program and input are compared with what oneseat started; what differs and is
not known to be harmless is named. A library that is loaded first, for one, can change the address from inside.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

from oneseat.contract.billing_names import BillingNames, loads_code
from oneseat.contract.facts import CredentialSource
from oneseat.host.processes.tree import MARKER, descendants

from .environment_scan import child_sources, is_set, missing_names

#: Linux lets a user read the processes of that user, and shows the environment as it was at the start of the program. Other
#: systems may hide what is in one, or add to it.
_LINUX = sys.platform == "linux"
#: Makes `claude` ignore every subscription login. oneseat never passes it.
_KEYS_ONLY = "--bare"
#: What shells and interpreters set for each program they start, and where version managers look for programs.
_SHELL_NAMES = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "PATH", "LANG", "LANGUAGE"})
_LOCALE = "LC_"
_SHEBANG_BYTES = 512


class ProcessCheck(msgspec.Struct, frozen=True):
    """What was added to the environment, whether it could be read, and why the process is not as oneseat started it.

    ``tampering`` quotes names, numbers and paths only; it is ``None`` when everything is as expected.
    """

    sources: tuple[CredentialSource, ...] = ()
    readable: bool = True
    tampering: str | None = None


class StartedAs(NamedTuple):
    """What oneseat started: the process id, the command line, the environment with the run's marker, and the pipe of its input.

    ``stdin`` is device and number of that pipe; ``None`` where they are not known.
    """

    pid: int
    argv: Sequence[str]
    env: Mapping[str, str]
    stdin: tuple[int, int] | None = None


class _Seen(NamedTuple):
    """One process as the system shows it. ``environ`` may name a variable twice."""

    pid: int
    environ: list[tuple[str, str]]
    argv: list[str]


def inspect_process(started: StartedAs, answered: int | None, names: BillingNames) -> ProcessCheck:
    """Inspect the process that oneseat started, and the one that ``answered``.

    They differ where a script starts the CLI and waits for it. A process that is not below the started one is not read: it is
    foreign, or the CLI runs elsewhere (in a container, say) and its process id means nothing here. Where it is not known which
    one answered, all that run the same command line are inspected. ``names`` are those that decide who pays with this CLI.
    """
    if answered is None:
        below = [process.pid for process in descendants(started.pid) if _same(process.pid, started)]
        first = _inspect(started.pid, started, names, cli=not below)
        return joined([first, *(_inspect(pid, started, names, cli=True) for pid in below)])
    if answered == started.pid:
        return _inspect(started.pid, started, names, cli=True)
    first = _inspect(started.pid, started, names, cli=False)
    if not _is_below(answered, started.pid):
        foreign = ProcessCheck(tampering=f"process `{answered}`, which answered, was not started by oneseat")
        return joined([first, foreign])
    return joined([first, _inspect(answered, started, names, cli=True)])


def joined(checks: list[ProcessCheck]) -> ProcessCheck:
    """Combine several checks into one."""
    return ProcessCheck(
        sources=tuple(dict.fromkeys(source for each in checks for source in each.sources)),
        readable=all(each.readable for each in checks),
        tampering=next((each.tampering for each in checks if each.tampering is not None), None),
    )


def _inspect(pid: int, started: StartedAs, names: BillingNames, *, cli: bool) -> ProcessCheck:
    """``cli`` says that the process is the CLI itself, and not a script that has started it."""
    seen = _read(pid)
    if seen is None:
        # On Linux this means another user, or a process that is gone; elsewhere it can be the system's usual caution.
        why = f"process `{pid}` cannot be read" if _LINUX else None
        return ProcessCheck(readable=False, tampering=why)
    sources = child_sources(dict(seen.environ), started.env, names)
    known = {source.name for source in sources}
    environment = _environment_fault(seen, started.env, names, known)
    program = (_argv_fault(seen, started) or _program_fault(seen, started)) if cli else None
    return ProcessCheck(sources, tampering=environment or program)


def _read(pid: int) -> _Seen | None:
    try:
        process = psutil.Process(pid)
        environ, argv = _environ(process), process.cmdline()
    except (psutil.Error, OSError):
        return None
    return _Seen(pid, environ, argv) if environ else None


def _environ(process: psutil.Process) -> list[tuple[str, str]]:
    if not _LINUX:
        return list(process.environ().items())
    # Not by psutil: of a variable that is there twice, it shows one, and the program may read the other.
    raw = Path(f"/proc/{process.pid}/environ").read_bytes()
    pairs = (os.fsdecode(entry).partition("=") for entry in raw.split(b"\0") if entry)
    return [(name, value) for name, _, value in pairs]


def _environment_fault(
    seen: _Seen, given: Mapping[str, str], names: BillingNames, known: set[str]
) -> str | None:
    environ = dict(seen.environ)
    if environ.get(MARKER) != given[MARKER]:
        return _not_given([MARKER], "missing or changed")
    if missing := missing_names(environ, given, names):
        return _not_given(missing, "missing")
    if len(environ) != len(seen.environ):
        listed = [name for name, _ in seen.environ]
        return _not_given(sorted({name for name in listed if listed.count(name) > 1}), "there twice")
    differs = {name for name in environ.keys() | given.keys() if environ.get(name) != given.get(name)}
    unknown = sorted(name for name in differs - known if not _is_harmless(name, environ.get(name, ""), names))
    return _not_given(unknown, "added, changed or missing") if unknown else None


def _is_harmless(name: str, value: str, names: BillingNames) -> bool:
    if loads_code(name):
        return False
    entry = names.find(name)
    if entry is None:
        # Other systems add variables of their own, so that there only what is known to do harm counts.
        return name in _SHELL_NAMES or name.startswith(_LOCALE) or not _LINUX
    return not entry.pays or not is_set(entry, value)


def _not_given(names: Sequence[str], how: str) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    return f"its environment is not the one oneseat gave it: {listed} is {how}"


def _argv_fault(seen: _Seen, started: StartedAs) -> str | None:
    if _KEYS_ONLY in seen.argv:
        return f"its command line has `{_KEYS_ONLY}`, which makes it ignore every login"
    before = _before_arguments(seen.argv, started)
    if before is None:
        return "its command line is not the one oneseat gave it"
    if len(before) == 1 or _is_script(before):
        return None
    return f"it was started through another program: `{before[0]}`"


def _before_arguments(argv: list[str], started: StartedAs) -> list[str] | None:
    """What of a command line comes before the arguments that oneseat gave; ``None`` where they are not its end."""
    count = len(argv) - len(started.argv[1:])
    return argv[:count] if count > 0 and argv[count:] == list(started.argv[1:]) else None


def _same(pid: int, started: StartedAs) -> bool:
    try:
        return _before_arguments(psutil.Process(pid).cmdline(), started) is not None
    except psutil.Error:
        return False


def _is_script(before: list[str]) -> bool:
    """Whether the last of these words is a script, and the others are what the system starts it with."""
    *words, script = before
    line = _shebang(script)
    if line is None:
        return False
    wanted = line.split()
    if wanted and Path(wanted[0]).name == "env":
        wanted = [word for word in wanted[1:] if word != "-S"]
    return " ".join(words).split() == wanted


def _shebang(path: str) -> str | None:
    """The program that a script names, with its arguments; ``None`` for a file that is no script."""
    try:
        with Path(path).open("rb") as file:
            first = file.read(_SHEBANG_BYTES).split(b"\n", 1)[0]
    except (OSError, ValueError):
        return None
    return os.fsdecode(first[2:]).strip() if first.startswith(b"#!") else None


def _program_fault(seen: _Seen, started: StartedAs) -> str | None:
    """Why the program or its input is not the one oneseat started; ``None`` where that cannot be seen."""
    if _shebang(started.argv[0]) is None and (program := _other_program(seen.pid, started.argv[0])):
        return f"another program runs than the one oneseat started: `{program}`"
    if not _LINUX or started.stdin is None:
        return None
    try:
        found = os.stat(f"/proc/{seen.pid}/fd/0")  # noqa: PTH116 - a link of the system's, which leads to no path
    except OSError:
        return None
    # Something between oneseat and the CLI could give the prompt to another program.
    return (
        None
        if (found.st_dev, found.st_ino) == started.stdin
        else "its input is not the one oneseat writes to"
    )


def _other_program(pid: int, program: str) -> str | None:
    try:
        running = f"/proc/{pid}/exe" if _LINUX else psutil.Process(pid).exe()
        # The link, not its text: a program that was replaced since has no path any more.
        return None if Path(running).samefile(program) else psutil.Process(pid).exe()
    except (psutil.Error, OSError):
        return None


def _is_below(pid: int, ancestor: int) -> bool:
    try:
        return any(parent.pid == ancestor for parent in psutil.Process(pid).parents())
    except psutil.Error:
        return False
