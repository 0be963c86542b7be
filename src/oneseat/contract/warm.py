"""Warm processes: started ahead of a run, so that it need not wait."""

from __future__ import annotations

import msgspec


class PoolLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many processes wait for a run, how long one may wait in seconds, and what all of them may take in bytes.

    ``runs_per_process`` above 1 lets a process without tools serve that many runs, one after the other. None of them sees
    anything of another; where the provider cannot prove that, the process ends with its run.
    """

    size: int = 1
    idle_s: float = 900.0
    memory_bytes: int = 1_000_000_000
    runs_per_process: int = 1


class WarmProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A warm process that is idle. ``age_s`` is its age in seconds, ``runs`` how many runs it has served.

    ``opened`` is whether it has been told instructions and asked who pays already; a run can have it told others.
    """

    pid: int
    model: str
    cwd: str
    age_s: float
    memory_bytes: int
    runs: int
    opened: bool = False
