"""Run every check once, and all tests on each supported Python of this machine, each in its own environment.

    python3 -m scripts.test_all [arguments for pytest]

Ends with one line for each supported version: passed, failed, or not found. Standard library only, like the
bootstrap script it uses.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from .bootstrap import PYTHONS, ROOT, find_python, say, supported_python


def make(*arguments: str) -> bool:
    """Run a target; returns whether it succeeds. Drops the flags of the parent make, whose job server is not inherited."""
    own = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
    env = {name: value for name, value in os.environ.items() if name not in own}
    return (
        subprocess.run(
            ["make", "--no-print-directory", *arguments], cwd=ROOT, env=env, check=False
        ).returncode
        == 0
    )


def main(arguments: Sequence[str]) -> int:
    """Run everything. Returns 1 when a check or a test failed; a version that is not installed is not a failure."""
    lines = [f"checks: {'passed' if make('--keep-going', 'check', f'PYTHON={sys.executable}') else 'failed'}"]
    for minor in PYTHONS:
        python = find_python(minor)
        if python is None:
            lines.append(f"Python 3.{minor}: not found on PATH or in pyenv, so not run")
            continue
        say(f"testing on Python 3.{minor}: {python}")
        suite = ["suite", f"PYTHON={python}", f"VENV=.tools/python3.{minor}", f"ARGS={shlex.join(arguments)}"]
        lines.append(f"Python 3.{minor}: {'passed' if make(*suite) else 'failed'}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if any(line.endswith("failed") for line in lines) else 0


if __name__ == "__main__":
    supported_python()
    raise SystemExit(main(sys.argv[1:]))
