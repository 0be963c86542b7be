"""A signal at the two moments when no command is at work: while it is being loaded, and when all is said."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "number", "code"),
    [
        ("oneseat.cli.terminal.signals", signal.SIGINT, -signal.SIGINT),
        ("oneseat.cli.main", signal.SIGINT, 130),
        ("oneseat.cli.main", signal.SIGTERM, 130),
        ("click", signal.SIGHUP, 130),
    ],
)
def test_a_signal_while_a_command_is_loaded_shows_no_traceback(module: str, number: int, code: int) -> None:
    program = (
        "import os, sys\n"
        "from oneseat.__main__ import main\n"
        "class Strike:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Strike())\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, "log"], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_last_word_changes_nothing(number: int) -> None:
    code = (
        "import atexit, os, sys\n"
        "from oneseat.__main__ import main\n"
        f"atexit.register(os.kill, os.getpid(), {int(number)})\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_once_a_command_is_loaded_python_collects_garbage_as_before() -> None:
    code = (
        "import atexit, gc\n"
        "before = gc.get_threshold()\n"
        "from oneseat.__main__ import main\n"
        "atexit.register(lambda: print(gc.get_threshold() == before, gc.get_freeze_count() > 1000))\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "True True")
