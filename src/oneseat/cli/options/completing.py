"""What a shell completes beyond the options: names of the owner's settings, runs, conversations, models and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from oneseat.app import Installation
from oneseat.contract.errors import OneseatError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: What a shell asks for the words of an argument.
Completer = Callable[[click.Context, click.Parameter, str], list["CompletionItem"]]
#: A name and what stands beside it in shells that show that.
Words = Iterable[tuple[str, str | None]]
_RUNS = 50
_MODELS = ("sonnet", "opus", "haiku")


def _completer(words: Callable[[Installation], Words]) -> Completer:
    """Offers what begins as the person has typed; nothing where the settings or the ledger cannot be read."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell that completes needs it

        try:
            found = list(words(Installation()))
        except OneseatError:
            return []
        return [CompletionItem(word, help=note) for word, note in found if word.startswith(incomplete)]

    return complete


def _projects(here: Installation) -> Words:
    from oneseat.app.settings import projects  # noqa: PLC0415 - as above

    return ((project.name, project.directory) for project in projects(here))


def _clients(here: Installation) -> Words:
    from oneseat.app.settings import clients  # noqa: PLC0415 - as above

    return ((client.name, None) for client in clients(here))


def _roles(here: Installation) -> Words:
    return ((name, None) for name in here.routes.roles)


def _keys(here: Installation) -> Words:
    return ((name, key.provider) for name, key in here.keys.items())


def _providers(_here: Installation) -> Words:
    from oneseat.contract.providers import ROWS  # noqa: PLC0415 - as above

    return ((name, None) for name in ROWS)


def _models(here: Installation) -> Words:
    from oneseat.app.prices import model_names  # noqa: PLC0415 - as above

    return ((name, None) for name in dict.fromkeys((*_MODELS, *model_names(here))))


def _runs(here: Installation) -> Words:
    from oneseat.app.runs import find_runs  # noqa: PLC0415 - as above
    from oneseat.contract.history import RunFilter  # noqa: PLC0415 - as above

    runs = find_runs(here, RunFilter(limit=_RUNS)).runs
    return ((run.id, run.prompt_preview or run.status) for run in runs)


def _sessions(here: Installation) -> Words:
    from oneseat.app.sessions import find_sessions  # noqa: PLC0415 - as above

    sessions = find_sessions(here).sessions
    return [(each.project, each.cwd) for each in sessions] + [(each.id, each.project) for each in sessions]


def _rules(here: Installation) -> Words:
    from oneseat.app.policy import read_policy  # noqa: PLC0415 - as above

    return ((rule.id, rule.reason) for rule in read_policy(here).rules)


def _rules_and_sections(here: Installation) -> Words:
    from oneseat.contract.reports.policy import SECTIONS  # noqa: PLC0415 - as above

    return [*_rules(here), *((section, None) for section in SECTIONS)]


def tool_lists(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Profiles and tools; of a list, its last part."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - as above

    from oneseat.app.requests import tool_names  # noqa: PLC0415 - as above

    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in tool_names() if name.startswith(last)]


project_names = _completer(_projects)
client_names = _completer(_clients)
role_names = _completer(_roles)
key_names = _completer(_keys)
provider_names = _completer(_providers)
model_names = _completer(_models)
run_ids = _completer(_runs)
session_names = _completer(_sessions)
rule_ids = _completer(_rules)
rules_and_sections = _completer(_rules_and_sections)
