"""What the doctor looks at, and what it reports."""

from __future__ import annotations

from typing import Literal

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import CodexLogin, CredentialFacts, CredentialSource, LoginFacts
from oneseat.contract.receipt import Wallet

from .compat import CanaryReport

Level = Literal["ok", "warning", "problem"]
Effect = Literal["pays", "would win", "is kept from the child", "is ignored"]


class OpenFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of oneseat's that other users may open, and the command that closes it."""

    path: str
    mode: int
    fix: str


class CodexCheckup(msgspec.Struct, frozen=True, kw_only=True):
    """The installed `codex` CLI: what it is, what it would sign in with, and who would pay.

    ``kept`` are the sources that are kept from it, ``refusal`` is why a run with it is refused; ``None`` when none is.
    """

    path: str
    version: str | None
    tested: str
    auth_method: str | None
    plan: str | None
    login: CodexLogin
    wallet: Wallet
    kept: tuple[CredentialSource, ...] = ()
    refusal: ErrorInfo | None = None


class Unusable(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that the settings name at ``place`` and that cannot serve as things are."""

    place: str
    candidate: str
    error: ErrorInfo


class Instead(msgspec.Struct, frozen=True, kw_only=True):
    """The candidate that serves an ordinary run because the policy does not let the plan do it, and why not."""

    candidate: str
    why: ErrorInfo


class Observations(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the doctor saw. ``facts`` is ``None`` when the CLI could not be asked; ``failure`` then says why.

    ``refusal`` is what the billing gate says of the facts. ``logins`` are what the CLI could sign in with, in its order: made-up
    ones where a simulator is in use. ``proxies`` are kept from the CLI, ``passed`` are the variables that ``settings_file`` has
    it see. ``now_ms`` is in milliseconds since the epoch. ``canary`` is the stored trial of the installed CLI, ``canary_refusal``
    why runs refuse it. ``old_pack`` says why the rules of the policy are to be looked at, ``None`` while they are fresh.
    ``codex`` is the other official CLI, where it is installed. ``unusable`` are keys that the settings name in vain;
    ``instead`` is who serves runs where the policy keeps the plan out of it.
    """

    cli_path: str | None
    cli_version: str | None
    tested: tuple[str, str]
    beyond_tested: bool
    logins: tuple[LoginFacts, ...]
    found: tuple[CredentialSource, ...]
    proxies: tuple[str, ...]
    passed: tuple[str, ...]
    settings_file: str
    facts: CredentialFacts | None
    failure: ErrorInfo | None
    refusal: ErrorInfo | None
    wallet: Wallet
    folders: tuple[str, ...]
    folder_failure: ErrorInfo | None
    open_files: tuple[OpenFile, ...]
    simulator: str | None
    now_ms: int
    canary: CanaryReport | None = None
    canary_refusal: ErrorInfo | None = None
    old_pack: str | None = None
    codex: CodexCheckup | None = None
    unusable: tuple[Unusable, ...] = ()
    instead: Instead | None = None


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One credential source in the order in which the official CLI would take it."""

    name: str
    kind: str
    place: str
    effect: Effect


class CheckupFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report. ``fix`` is one command or action, ``None`` when there is nothing to do."""

    level: Level
    code: str
    message: str
    fix: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The doctor's report. ``exit_code`` is 0 when ready, 3 when not safe, 7 without a login or CLI, 2 for unusable folders."""

    ready: bool
    exit_code: int
    wallet: Wallet
    cli_path: str | None
    cli_version: str | None
    tested: tuple[str, str]
    logins: tuple[LoginFacts, ...]
    sources: tuple[SourceRow, ...]
    folders: tuple[str, ...]
    simulator: str | None
    findings: tuple[CheckupFinding, ...]
    canary: CanaryReport | None = None
    codex: CodexCheckup | None = None
