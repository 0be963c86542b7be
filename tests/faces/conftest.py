"""What only the tests of the whole program need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

#: Read before the tests take the caller's environment away.
OLD_CLAUDE_PATH = os.environ.get("ONESEAT_TEST_OLD_CLAUDE")


@pytest.fixture(scope="session")
def old_claude_path() -> Path:
    """The official CLI, the oldest version this project supports."""
    if OLD_CLAUDE_PATH is None:
        pytest.fail("ONESEAT_TEST_OLD_CLAUDE is not set; run the tests with `make test`")
    return Path(OLD_CLAUDE_PATH)
