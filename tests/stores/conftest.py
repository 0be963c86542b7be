"""Closes the stores that a test left open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .making import OPENED


@pytest.fixture(autouse=True)
def close_writers() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
