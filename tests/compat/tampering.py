"""Wraps the real `claude` so that one thing about it is no longer as oneseat assumes."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec


class Tamper(msgspec.Struct, frozen=True, kw_only=True):
    """What is changed. ``lines_in`` and ``lines_out`` replace text in what the CLI reads and prints."""

    version: str | None = None
    env: dict[str, str | None] = {}
    options: dict[str, str] = {}
    lines_in: dict[str, str] = {}
    lines_out: dict[str, str] = {}
    leaves_a_process: bool = False


class Tampered:
    """The wrapper on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def starts(self) -> int:
        """How often the CLI was started, ``--version`` left out."""
        journal = self.path.with_name(f"{self.path.name}.journal")
        return len(journal.read_text()) if journal.exists() else 0


_PROGRAM = """#!{python} -IS
import json, os, subprocess, sys, threading

real, tamper = {real!r}, json.loads({tamper!r})
if sys.argv[1:] == ["--version"] and tamper["version"]:
    print(tamper["version"], "(Claude Code)")
    sys.exit()
if sys.argv[1:] != ["--version"]:
    with open(__file__ + ".journal", "a") as journal:
        journal.write(".")
env = {{**os.environ, **tamper["env"]}}
env = {{name: value for name, value in env.items() if value is not None}}
argv = [real, *(tamper["options"].get(each, each) for each in sys.argv[1:])]
nowhere = subprocess.DEVNULL
if tamper["leaves_a_process"]:
    subprocess.Popen(["sleep", "600"], start_new_session=True, stdin=nowhere, stdout=nowhere, stderr=nowhere)
if not (tamper["lines_in"] or tamper["lines_out"]):
    os.execve(real, argv, env)
child = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def pump(source, target, changes):
    for line in source:
        for old, new in changes.items():
            line = line.replace(old.encode(), new.encode())
        target.write(line)
        target.flush()
    target.close()

threading.Thread(target=pump, args=(sys.stdin.buffer, child.stdin, tamper["lines_in"]), daemon=True).start()
pump(child.stdout, sys.stdout.buffer, tamper["lines_out"])
os._exit(child.wait())
"""


def write_tampered(path: Path, real: Path, tamper: Tamper) -> Tampered:
    """Write an executable to ``path`` that is ``real`` but for ``tamper``."""
    path.write_text(
        _PROGRAM.format(python=sys.executable, real=str(real), tamper=msgspec.json.encode(tamper).decode()),
        "utf-8",
    )
    path.chmod(0o700)
    return Tampered(path)
