"""Real repositories for the tests of the guard, and secrets that are made up when the tests run."""

from __future__ import annotations

import os
import random
import string
import subprocess
from collections.abc import Mapping
from pathlib import Path

from oneseat.agents.guard.app import Guard, What, of_everything, of_push
from oneseat.agents.guard.report import Finding, Report

_CHANCE = random.Random(2026)


def made_up(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """A random word, so that no file of this project holds anything that looks like a token."""
    return "".join(_CHANCE.choice(alphabet) for _ in range(length))


def seat_token() -> str:
    """What a Claude subscription's token looks like."""
    return f"sk-ant-oat01-{made_up(95)}"


class Repo:
    """A repository below ``folder``, and its guard, whose own files are in ``folder`` too."""

    def __init__(self, folder: Path, name: str = "work", *, init: bool = True) -> None:
        self.folder = folder
        self.path = folder / name
        self.env: Mapping[str, str] = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "ONESEAT_HOME": str(folder / "oneseat"),
            "ONESEAT_CLAUDE_PATH": str(folder / "no-claude"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            # Newer versions of git refuse a submodule that is a folder of this machine.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "protocol.file.allow",
            "GIT_CONFIG_VALUE_0": "always",
            **{
                f"GIT_{who}_{part}": f"ana@{who.lower()}.example"
                for who in ("AUTHOR", "COMMITTER")
                for part in ("NAME", "EMAIL")
            },
        }
        if init:
            self.path.mkdir(parents=True)
            self.git("init", "--quiet", "--initial-branch=main")
            self.git("config", "user.name", "Ana")
            self.git("config", "user.email", "ana@example.com")

    def git(self, *arguments: str, stdin: bytes | None = None, fails: bool = False) -> str:
        """What a git command prints, errors too."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={**self.env},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        said = done.stdout.decode("utf-8", "replace")
        assert (done.returncode != 0) is fails, said
        return said.strip()

    def write(self, name: str, text: str | bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "work") -> str:
        """Commit these files, with all others that have changed; returns the commit."""
        for name, text in (files or {}).items():
            self.write(name, text)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--no-verify", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def guard(self) -> Guard:
        return Guard(self.folder / "oneseat/data", self.folder / "oneseat/config", self.env, self.path)

    def scan(self, what: What = of_everything, *, beside: bool = False) -> Report:
        """Scan without a model."""
        return self.guard.scan(what, ask=False, beside=beside)

    def remote(self, name: str = "origin") -> Path:
        """A bare remote, and a hook that only writes down what git tells it."""
        path = self.folder / f"{name}.git"
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(path))
        self.git("remote", "add", name, str(path))
        hook = self.path / ".git/hooks/pre-push"
        hook.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$1" "$2" > {self.folder}/told\ncat >> {self.folder}/told\n', "utf-8"
        )
        hook.chmod(0o755)
        return path

    def push(self, *arguments: str) -> Report:
        """Scan what git tells its hook of a push, all but the sending: that would make the remote's branches known here."""
        (self.folder / "told").unlink(missing_ok=True)
        self.git("push", "--quiet", "--dry-run", *arguments)
        remote, url, *lines = (self.folder / "told").read_text("utf-8").splitlines()
        return self.scan(of_push(remote, url, "\n".join(lines)))


def rules(report: Report) -> list[str]:
    """The rules that found something."""
    return [finding.rule for finding in report.findings]


def only(report: Report) -> Finding:
    """The one finding of a report."""
    (finding,) = report.findings
    return finding
