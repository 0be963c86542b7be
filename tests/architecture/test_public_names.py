"""What ``import oneseat`` promises. A name that comes or goes is a decision and shows as a changed line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import oneseat

SNAPSHOT = Path(__file__).with_name("public_names.txt")
MOST_NAMES = 40
QUIET_IMPORT = """
import logging, os, signal, sys, threading
def state():
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    return dict(os.environ), os.getcwd(), threading.active_count(), list(logging.root.handlers), handlers
before = state()
import oneseat
assert state() == before
"""


def test_public_names_are_the_promised_ones() -> None:
    assert sorted(oneseat.__all__) == SNAPSHOT.read_text("utf-8").split()


def test_public_names_stay_few() -> None:
    assert 0 < len(oneseat.__all__) <= MOST_NAMES


def test_every_public_name_exists_and_is_listed_for_completion() -> None:
    missing = [name for name in oneseat.__all__ if not hasattr(oneseat, name)]
    assert missing == []
    assert set(oneseat.__all__) <= set(dir(oneseat))


def test_importing_the_package_has_no_side_effect_a_program_would_notice() -> None:
    done = subprocess.run([sys.executable, "-c", QUIET_IMPORT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
