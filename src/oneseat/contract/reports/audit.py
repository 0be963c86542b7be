"""What is compared by `oneseat usage --check`, and what it finds. Moments are milliseconds since 1970, money is US dollars."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

FindingKind = Literal[
    "misbilled",
    "unverified",
    "unknown_use",
    "cost_differs",
    "limit_moved",
    "transcript_gone",
    "not_ours",
    "unpriced",
]


class RunFact(NamedTuple):
    """What the ledger knows of one run. ``tokens`` are by kind, ``None`` where they are not known; ``ended`` while it goes on.

    ``comparable`` says that the CLI named the cost, and that it is of these tokens: no subagent, no web search, no tool that asks
    a model itself, and one model only.
    """

    id: str
    began: int
    ended: int | None
    status: str
    model: str
    verdict: str | None
    charged: float | None
    listed: float | None
    comparable: bool
    tokens: tuple[int, int, int, int, int] | None


class LimitFact(NamedTuple):
    """How full a window was said to be by a source: ``used`` from 0 to 1, at the moment ``at``; ``resets`` is its end."""

    window: str
    source: str
    used: float
    resets: int
    at: int


class SessionFact(NamedTuple):
    """A conversation of a project that the next run would continue."""

    id: str
    project: str
    used: int


class SessionDeps(NamedTuple):
    """Everything the ledger has to say, simulated runs aside."""

    runs: tuple[RunFact, ...]
    limits: tuple[LimitFact, ...]
    sessions: tuple[SessionFact, ...]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to know. ``wrong`` says that it does not add up; else it is ordinary and worth knowing.

    ``numbers`` are what it rests on, by name; ``None`` is unknown. ``runs`` are the ids of some of the runs it is about.
    """

    kind: FindingKind
    wrong: bool
    what: str
    numbers: dict[str, int | float | str | None]
    why: str
    action: str
    runs: tuple[str, ...] = ()


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison. ``checked`` counts what was looked at, ``not_read`` what could not be."""

    adds_up: bool
    checked: dict[str, int]
    findings: tuple[Finding, ...]
    not_read: dict[str, int]
