"""The owner's word that a finding may leave: with a reason, a name and a last day, and never from inside a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import msgspec

from .git import Repository
from .report import Acceptance, Finding, usage_error
from .store import Store

#: After a year, nobody remembers why.
_LONGEST = timedelta(days=366)
_SHORTEST_FINGERPRINT = 6


def find(store: Store, beginning: str) -> Finding:
    """The finding whose fingerprint begins like this. Raises ``UsageError`` ``usage.unknown_finding``."""
    found = (
        store.findings(beginning) if re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_FINGERPRINT},}}", beginning) else []
    )
    if len(found) != 1:
        raise usage_error(
            "usage.unknown_finding",
            f"{'Several findings begin' if found else 'No finding begins'} like this: `{beginning}`",
            "See the findings with their fingerprints: `oneseat guard scan`",
        )
    return found[0]


def known(store: Store, beginning: str) -> Finding:
    """The same with what the model and the owner said since. Raises like ``find``."""
    finding = find(store, beginning)
    word, opinion = store.accepted().get(finding.fingerprint), store.opinions().get(finding.fingerprint)
    if opinion is not None:
        finding = msgspec.structs.replace(finding, verdict=opinion.verdict, opinion=opinion.why)
    expired = word is not None and is_over(word)
    return msgspec.structs.replace(finding, accepted=word, expired=expired)


def is_over(word: Acceptance) -> bool:
    """Whether the last day of an acceptance has passed."""
    return word.until < datetime.now(UTC).date().isoformat()


def accept(
    store: Store, repository: Repository, env: Mapping[str, str], beginning: str, given: tuple[str, date]
) -> Finding:
    """Accept a finding in this repository, for a reason, up to and including a day.

    Raises ``UsageError``: ``usage.unknown_finding``, ``usage.bad_acceptance``, and ``usage.not_confirmed`` inside a run: what
    wrote a secret must not be what lets it leave.
    """
    if env.get("ONESEAT_RUN_ID"):
        raise usage_error(
            "usage.not_confirmed",
            f"Only you can accept a finding, not a program inside of a run: `{beginning}`",
            "Type it in a terminal of your own: `oneseat guard accept FINGERPRINT --reason TEXT --until DATE`",
        )
    finding = find(store, beginning)
    if store.repository_of(finding.fingerprint) != repository.name:
        raise usage_error(
            "usage.unknown_finding",
            f"The finding is one of another repository: `{finding.fingerprint}`",
            "Name that repository: `oneseat guard accept FINGERPRINT --repo DIR --reason TEXT --until DATE`",
        )
    reason, until = given
    word = Acceptance(
        reason=" ".join(reason.split()),
        author=_author(repository),
        until=until.isoformat(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _check(word, until)
    store.accept(finding.fingerprint, word)
    return finding


def _check(word: Acceptance, until: date) -> None:
    today = datetime.now(UTC).date()
    if len(word.reason) < 8:
        raise usage_error(
            "usage.bad_acceptance", f"A reason is a sentence that others understand: `{word.reason}`"
        )
    if not today <= until <= today + _LONGEST:
        raise usage_error(
            "usage.bad_acceptance",
            f"The last day must be between today and a year from now: `{until}`",
            f"Name one: `--until {today + timedelta(days=90)}`",
        )


def _author(repository: Repository) -> str:
    name, email = (repository.git.line("config", "--get", f"user.{part}") for part in ("name", "email"))
    if not email:
        raise usage_error(
            "usage.bad_acceptance",
            "Git does not know who you are, so nobody would know who accepted it: `user.email`",
            'Set it: `git config --global user.email "you@example.com"`',
        )
    return f"{name} <{email}>".strip()
