"""Facts the rules decide on. They name credentials and say where they are; they never hold one."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from .errors import ErrorInfo

SourceKind = Literal[
    "api_key",
    "auth_token",
    "oauth_token",
    "key_helper",
    "base_url",
    "headers",
    "cloud",
    "mode",
    "login",
    "proxy",
    "unreadable",
]
#: Where a source was found. The first five are places oneseat can keep from the child; ``managed_settings``, ``global_config``
#: (the CLI's own `.claude.json`, read whatever the flags) and ``child`` are not.
Scope = Literal[
    "environment",
    "user_settings",
    "project_settings",
    "local_settings",
    "dotenv",
    "login",
    "managed_settings",
    "global_config",
    "child",
]


class CredentialSource(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could decide who pays: its name, what it is, and the place it was found in. Never its value.

    A file that could not be read is a source of kind ``unreadable`` with the file's name: what it holds is not known.
    """

    name: str
    kind: SourceKind
    scope: Scope
    place: str


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What the official CLI says of its login in answer to ``initialize`` (docs/facts.md)."""

    token_source: str | None = None
    api_key_source: str | None = None
    api_provider: str | None = None
    subscription: str | None = None


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the opened provider can do.

    ``models`` are the short names it offers, ``full_names`` what they stand for; ``unresolved`` are names it was given and knows
    no model for.
    """

    models: tuple[str, ...] = ()
    full_names: dict[str, str] = {}
    unresolved: tuple[str, ...] = ()
    cli_version: str | None = None


class ProviderFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider can be asked for besides an answer in words, known before it is opened.

    ``tools`` are those that act on this machine, ``mcp`` other programs' and ``functions`` the caller's own. ``sessions`` says
    that it keeps conversations, ``process`` that a run of it takes a process of its own on this machine.
    """

    tools: bool = False
    mcp: bool = False
    functions: bool = False
    schema: bool = False
    images: bool = False
    documents: bool = False
    sessions: bool = False
    process: bool = False


class KeyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the API key that would pay, gathered before anything is sent. It never holds the key.

    ``key`` is its name in the settings, ``place`` where it lies, ``endpoint`` the address that requests go to. ``problem``
    says why it cannot be used; ``None`` when it can. ``own_endpoint`` says that the owner's settings name the address, and it is
    not the vendor's. ``simulated`` is true when only a loopback simulator can be reached.
    """

    key: str
    place: str
    endpoint: str
    problem: ErrorInfo | None = None
    own_endpoint: bool = False
    simulated: bool = False


class CredentialFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about who would pay, gathered before anything is sent.

    ``kept`` was found around the caller and kept from the child. ``present`` reached the child all the same.
    ``account`` is ``None`` when the CLI did not answer. ``simulated`` is true when the child can only reach a loopback simulator.
    ``child_checked`` is false on a platform where the child's own environment cannot be read. ``strange`` says why the process
    that answered is not the one oneseat started, or does not run as it was started; ``None`` when nothing is wrong with it.
    ``bad_token`` says why the token it was given cannot be one; ``None`` when it may be, or when there is none.
    """

    account: Account | None
    withheld: tuple[CredentialSource, ...] = ()
    exposed: tuple[CredentialSource, ...] = ()
    simulated: bool = False
    child_checked: bool = True
    tampering: str | None = None
    bad_token: str | None = None


class CodexLogin(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the stored login of the official `codex` CLI without reading a token.

    ``kind`` says where it lives (the ``keyring`` is never read), ``auth_mode`` is the file's own word for what it is,
    ``has_key`` and ``has_refresh_token`` whether it holds such a thing. ``refreshed_at`` is in seconds since the epoch,
    ``file_mode`` the permission bits, ``account`` a hash of the account's id. ``problem`` says why the file could not be
    understood.
    """

    kind: Literal["file", "keyring", "none"]
    place: str
    auth_mode: str | None = None
    has_key: bool = False
    has_refresh_token: bool = False
    refreshed_at: float | None = None
    file_mode: int | None = None
    account: str | None = None
    problem: str | None = None


class CodexFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about who would pay for a run of the official `codex` CLI, gathered before anything is sent.

    ``interface`` is what of the CLI serves the run, ``auth_method`` what it says it would sign in with, ``plan`` the plan that the
    vendor's account names for that login, ``refused`` the CLI's own words where it named none. ``model_provider`` is whom the CLI
    would ask. ``credits_next`` is true when a window is full and further requests would be paid from credits; ``None`` when the
    vendor did not say.
    ``kept``, ``present``, ``simulated``, ``child_checked`` and ``strange`` mean what they mean in ``CredentialFacts``.
    """

    login: CodexLogin
    interface: str = "app-server"
    auth_method: str | None = None
    plan: str | None = None
    refused: str | None = None
    model_provider: str | None = None
    credits_next: bool | None = None
    withheld: tuple[CredentialSource, ...] = ()
    exposed: tuple[CredentialSource, ...] = ()
    simulated: bool = False
    child_checked: bool = True
    tampering: str | None = None


#: What a provider tells the billing gate; each kind of payer is judged by rules of its own.
PayerFacts: TypeAlias = CredentialFacts | CodexFacts | KeyFacts


class LoginFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the seat's stored login without reading a token.

    ``kind`` says where it lives: a ``token`` in the environment, a ``file``, the ``keychain`` (never read), or ``none``.
    ``expires_at_ms`` is in milliseconds since the epoch, ``mode`` the file's permission bits; both only where known.
    ``problem`` says why a file could not be understood.
    """

    kind: Literal["token", "file", "keychain", "none"]
    place: str
    expires_at_ms: int | None = None
    scopes: tuple[str, ...] = ()
    subscription: str | None = None
    rate_limit_tier: str | None = None
    mode: int | None = None
    problem: str | None = None
