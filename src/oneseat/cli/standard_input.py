"""Standard input, which can be read once: who comes second gets what the first one read."""

from __future__ import annotations

import sys
from functools import cache


@cache
def read_stdin(limit: int) -> bytes:
    """Up to ``limit`` bytes of standard input."""
    return sys.stdin.buffer.read(limit)
