"""Git's plumbing: argument lists, NUL-separated bytes (names need not be UTF-8), and contents in one stream."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

from .report import usage_error

#: What git needs of the caller's environment, besides its own variables.
_KEPT = frozenset({"HOME", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE", "XDG_CONFIG_HOME"})
_LIMIT_S = 600
#: An object above it is not read: its contents would be held in memory, and matching them takes a second per 10 MB.
BIGGEST = 16 * 1024 * 1024


class ObjectInfo(NamedTuple):
    """An object's type, and its size in bytes."""

    kind: str
    size: int


class Git:
    """One repository. ``named`` says that the caller named the folder: what git's environment says of another is ignored."""

    def __init__(self, folder: Path, env: Mapping[str, str], *, named: bool) -> None:
        self.folder = folder
        kept = {name: value for name, value in env.items() if name in _KEPT or name.startswith("GIT_CONFIG")}
        if not named:
            # A hook is told by variables where repository and index are, a commit of some files uses an index of its own.
            kept |= {name: value for name, value in env.items() if name.startswith("GIT_")}
        self.env = {
            **kept,
            "LC_ALL": "C",
            # Replaced and grafted objects are what git shows here, and not what a push sends.
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_GRAFT_FILE": os.devnull,
            # A clone without all objects would fetch them over the network.
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def submodule(self, path: Path) -> Git:
        """The repository checked out at ``path``."""
        return Git(path, self.env, named=True)

    def ask(self, *arguments: str, stdin: bytes = b"", also: Sequence[int] = ()) -> bytes:
        """What a command prints. Raises ``UsageError`` when it fails with a code that is not in ``also``."""
        try:
            done = subprocess.run(
                self._argv(arguments),
                env=self.env,
                input=stdin,
                capture_output=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except FileNotFoundError:
            raise usage_error("usage.guard_git", "Git is not installed, or not in PATH: `git`") from None
        except subprocess.TimeoutExpired:
            raise usage_error(
                "usage.guard_git", f"Git did not end within {_LIMIT_S} s: `{arguments[0]}`"
            ) from None
        if done.returncode not in (0, *also):
            raise self._failed(arguments[0], done.stderr)
        return done.stdout

    def line(self, *arguments: str) -> str:
        """The one line that a command prints; empty when it fails with code 1, as ``git config`` does for an unset name."""
        return os.fsdecode(self.ask(*arguments, also=(1,))).rstrip("\n")

    def infos(self, oids: Iterable[str]) -> dict[str, ObjectInfo]:
        """Type and size of the objects that are there; one that is missing is left out."""
        wanted = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode()
        if not wanted:
            return {}
        found = {}
        for line in self.ask("cat-file", "--batch-check", "--buffer", stdin=wanted).decode().splitlines():
            oid, kind, *size = line.split(" ")
            if size and kind != "missing":
                found[oid] = ObjectInfo(kind, int(size[0]))
        return found

    def contents(self, oids: Sequence[str]) -> Iterator[bytes]:
        """The contents of objects, one after the other. Raises ``UsageError`` at one that cannot be read."""
        if not oids:
            return
        with subprocess.Popen(
            self._argv(("cat-file", "--batch", "--buffer")),
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            names, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
            # Git stops reading names while nobody reads contents: writing them all first would wait for ever.
            writer = threading.Thread(target=_write_names, args=(names, oids), daemon=True)
            writer.start()
            try:
                for oid in oids:
                    yield _content(answers, oid)
            finally:
                process.kill()
                writer.join()

    def _argv(self, arguments: Sequence[str]) -> list[str]:
        # A monitor of the work tree is a program that the repository's settings name.
        return ["git", "-C", str(self.folder), "-c", "core.fsmonitor=false", *arguments]

    def _failed(self, command: str, stderr: bytes) -> Exception:
        said = stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[0].removeprefix("fatal: ") if said else "it gave no reason"
        if "not a git repository" in why or "must be run in a work tree" in why:
            return usage_error(
                "usage.not_a_repository",
                f"Not a git repository: `{self.folder}`\n  {why}",
                "Name one: `oneseat guard scan --repo DIR`",
            )
        fix = "Look for damage: `git fsck --full`"
        if "dubious ownership" in why:
            fix = f"If you trust its owner: `git config --global --add safe.directory {shlex.quote(str(self.folder))}`"
        return usage_error("usage.guard_git", f"Git failed: `git {command}`\n  {why}", fix)


def _content(stream: IO[bytes], oid: str) -> bytes:
    head = stream.readline().split()
    size = int(head[2]) if len(head) == 3 else -1
    data = stream.read(size) if size >= 0 else b""
    if len(data) != size or stream.read(1) != b"\n":
        raise usage_error(
            "usage.unreadable_object",
            f"An object of the repository cannot be read: `{oid}`\n  it is missing or damaged, so nobody knows what it holds",
            "Look for damage: `git fsck --full`",
        )
    return data


def _write_names(pipe: IO[bytes], oids: Sequence[str]) -> None:
    try:
        with pipe:
            pipe.write("".join(f"{oid}\n" for oid in oids).encode())
    except OSError:
        return  # git ended early, and the reader says so


class Repository:
    """A repository's folders, found once. Raises ``UsageError`` when there is none."""

    def __init__(self, folder: Path, env: Mapping[str, str], *, named: bool = True) -> None:
        if not folder.is_dir():
            raise usage_error("usage.not_a_repository", f"No such directory: `{folder}`")
        git = Git(folder, env, named=named)
        answers = os.fsdecode(
            git.ask(
                "rev-parse",
                "--path-format=absolute",
                "--git-common-dir",
                "--git-path",
                "hooks",
                "--is-inside-work-tree",
            )
        ).splitlines()
        self.common, self.hooks = Path(answers[0]).resolve(), Path(answers[1])
        inside = answers[2] == "true"
        #: The top of the work tree; ``None`` in a bare repository.
        self.top = Path(git.line("rev-parse", "--show-toplevel")) if inside else None
        # From the top, or git would list only what is below the folder that was named.
        self.git = git if self.top is None else Git(self.top, env, named=named)

    @property
    def name(self) -> str:
        """What tells this repository from others: acceptances hold for it alone."""
        return str(self.common)
