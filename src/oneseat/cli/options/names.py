"""The names that a shell completes: of the owner's settings, runs, conversations, models, tools and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from oneseat.app import Installation
from oneseat.app.policy import read_policy
from oneseat.app.prices import model_names
from oneseat.app.requests import tool_names
from oneseat.app.runs import find_runs
from oneseat.app.sessions import find_sessions
from oneseat.app.settings import clients, projects
from oneseat.contract.history import RunFilter
from oneseat.contract.providers import ROWS
from oneseat.contract.reports.policy import SECTIONS

#: A name and what stands beside it in shells that show that.
Words = Iterable[tuple[str, str | None]]
_RUNS = 50
_SHORT_MODELS = ("sonnet", "opus", "haiku")


def _sessions(here: Installation) -> Words:
    found = find_sessions(here).sessions
    return [(each.project, each.cwd) for each in found] + [(each.id, each.project) for each in found]


def _runs(here: Installation) -> Words:
    runs = find_runs(here, RunFilter(limit=_RUNS)).runs
    return ((run.id, run.prompt_preview or run.status) for run in runs)


def _rules(here: Installation) -> Words:
    return ((rule.id, rule.reason) for rule in read_policy(here).rules)


#: By what they name. Each raises ``OneseatError`` where the settings or the ledger cannot be read.
NAMES: dict[str, Callable[[Installation], Words]] = {
    "project": lambda here: ((each.name, each.directory) for each in projects(here)),
    "client": lambda here: ((each.name, None) for each in clients(here)),
    "role": lambda here: ((name, None) for name in here.routes.roles),
    "key": lambda here: ((name, key.provider) for name, key in here.keys.items()),
    "provider": lambda _: ((name, None) for name in ROWS),
    "model": lambda here: ((name, None) for name in dict.fromkeys((*_SHORT_MODELS, *model_names(here)))),
    "tool": lambda _: ((name, None) for name in tool_names()),
    "run": _runs,
    "session": _sessions,
    "rule": _rules,
    "rule or section": lambda here: [*_rules(here), *((section, None) for section in SECTIONS)],
}
