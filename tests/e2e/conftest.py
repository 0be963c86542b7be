"""Fixtures for the end-to-end tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

#: Read before the tests remove the caller's environment.
OLD_CLAUDE_PATH = os.environ.get("ONESEAT_TEST_OLD_CLAUDE")


@pytest.fixture(scope="session")
def old_claude_path() -> Path:
    """The official CLI in the oldest version that this project supports."""
    if OLD_CLAUDE_PATH is None:
        pytest.fail("ONESEAT_TEST_OLD_CLAUDE is not set; run the tests with `make test`")
    return Path(OLD_CLAUDE_PATH)


@pytest.fixture(params=["newest", "oldest"])
def claude(request: pytest.FixtureRequest, claude_path: Path) -> Path:
    """The official CLI in the newest and the oldest version that this project supports."""
    if request.param == "newest":
        return claude_path
    oldest: Path = request.getfixturevalue("old_claude_path")
    return oldest
