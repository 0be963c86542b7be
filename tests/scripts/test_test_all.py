"""The command that tests every Python of the machine says of each what became of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import test_all


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a Python 3.12 and a 3.13, whose `make` notes what it is asked for and fails for the 3.13."""
    programs = {
        "python3.12": f"echo 3 12 {tmp_path}/bin/python3.12",
        "python3.13": f"echo 3 13 {tmp_path}/bin/python3.13",
        "make": f'printf "%s|" "$@" >> {tmp_path}/made; echo "flags=$MAKEFLAGS" >> {tmp_path}/made\n'
        'case "$*" in *python3.13*) exit 2;; esac',
    }
    for name, body in programs.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MAKEFLAGS", "-j2 --jobserver-auth=3,4")
    monkeypatch.setattr(sys, "executable", "python3")
    return tmp_path


def test_each_version_is_tested_in_its_own_environment_and_the_missing_ones_are_named(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert test_all.main(["tests/rules", "-k", "a b"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "checks: passed",
        "Python 3.11: not found on PATH or in pyenv, so not run",
        "Python 3.12: passed",
        "Python 3.13: failed",
        "Python 3.14: not found on PATH or in pyenv, so not run",
    ]
    checks, twelve, thirteen = (machine / "made").read_text("utf-8").splitlines()
    assert checks == "--no-print-directory|--keep-going|check|PYTHON=python3|flags="
    suite = "--no-print-directory|suite|PYTHON={}|VENV=.tools/python3.{}|ARGS=tests/rules -k 'a b'|flags="
    assert twelve == suite.format(machine / "bin/python3.12", 12)
    assert thirteen == suite.format(machine / "bin/python3.13", 13)


def test_what_is_missing_is_no_failure(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "bin/python3.13").unlink()
    assert test_all.main([]) == 0
    assert "Python 3.13: not found on PATH or in pyenv, so not run" in capsys.readouterr().out
