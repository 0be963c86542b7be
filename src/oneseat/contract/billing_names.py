"""The names that decide who pays: one table for every place they can hide in.

It serves the scan of the caller's environment, the `env` blocks of settings files, `.env` files, the check of the child's
own environment, and the refusal to pass such a name on. What each one does was measured on claude 2.1.197 and 2.1.329,
or read in them where it says so.
"""

from __future__ import annotations

import msgspec

from .facts import SourceKind


class BillingName(msgspec.Struct, frozen=True):
    """One variable or setting. ``pays`` is whether it can change who is paid, or who receives the login.

    A ``prefix`` stands for every name that begins with it. A ``switch`` is off when its value says no (`0`, `false`).
    """

    name: str
    kind: SourceKind
    effect: str
    pays: bool = True
    switch: bool = False
    prefix: bool = False


BILLING_NAMES: tuple[BillingName, ...] = (
    BillingName("ANTHROPIC_API_KEY", "api_key", "an API key; overrides every login without asking"),
    BillingName("CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", "api_key", "an API key, read from an open file"),
    BillingName("ANTHROPIC_AUTH_TOKEN", "auth_token", "a bearer token; overrides every login"),
    BillingName("CLAUDE_CODE_GATEWAY_TOKEN_FILE_DESCRIPTOR", "auth_token", "a token for a company gateway"),
    BillingName("CLAUDE_CODE_HOST_AUTH_ENV_VAR", "auth_token", "names another variable to take a token from"),
    BillingName("CLAUDE_CODE_HOST_CREDS_FILE", "auth_token", "names a file to take a token from"),
    BillingName("CLAUDE_CODE_OAUTH_TOKEN", "oauth_token", "a subscription token; overrides the stored login"),
    BillingName("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "oauth_token", "a subscription token from a file"),
    BillingName("CLAUDE_CODE_OAUTH_REFRESH_TOKEN", "oauth_token", "signs in with a refresh token"),
    BillingName("CLAUDE_CODE_OAUTH_SCOPES", "oauth_token", "changes how a login is classified"),
    BillingName("CLAUDE_CODE_OAUTH_CLIENT_ID", "oauth_token", "signs in as another program"),
    BillingName("CLAUDE_CODE_SESSION_ACCESS_TOKEN", "oauth_token", "the token of a hosted session"),
    BillingName("CLAUDE_CODE_SESSIONS_OAUTH_TOKEN", "oauth_token", "the token of a hosted session"),
    BillingName("CLAUDE_CODE_WEBSOCKET_AUTH_FILE_DESCRIPTOR", "oauth_token", "the token of a hosted session"),
    BillingName("CLAUDE_SESSION_INGRESS_TOKEN_FILE", "oauth_token", "the token of a hosted session"),
    BillingName("CLAUDE_BG_AUTH_SNAPSHOT_PATH", "oauth_token", "takes the login from a file"),
    BillingName("ANTHROPIC_BASE_URL", "base_url", "sends requests and the login to another address"),
    BillingName("ANTHROPIC_UNIX_SOCKET", "base_url", "sends requests and the login through a socket"),
    BillingName("CLAUDE_CODE_RUNNER_MODEL_SOCKET", "base_url", "sends requests through a socket"),
    BillingName("CLAUDE_CODE_API_BASE_URL", "base_url", "sends account requests to another address"),
    BillingName("CLAUDE_CODE_CUSTOM_OAUTH_URL", "base_url", "signs in at another address"),
    BillingName("CLAUDE_LOCAL_OAUTH_", "base_url", "signs in at another address", prefix=True),
    BillingName("USE_LOCAL_OAUTH", "base_url", "signs in at another address", switch=True),
    BillingName("USE_STAGING_OAUTH", "base_url", "signs in at another address", switch=True),
    BillingName("_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL", "base_url", "hides that the address was changed"),
    BillingName("ANTHROPIC_CUSTOM_HEADERS", "headers", "adds headers; can add a key or replace the login"),
    BillingName("ANTHROPIC_BETAS", "headers", "adds beta features to every request"),
    BillingName("CLAUDE_CODE_EXTRA_BODY", "headers", "adds fields to every request"),
    BillingName("CLAUDE_CODE_EXTRA_METADATA", "headers", "changes whom a request is attributed to"),
    BillingName("CLAUDE_CODE_USE_", "cloud", "bills a cloud account or a gateway", switch=True, prefix=True),
    BillingName("CLAUDE_CODE_SIMPLE", "mode", "reads API keys only, never a login", switch=True),
    BillingName("CLAUDE_CODE_REMOTE", "mode", "makes the CLI act as a hosted session", switch=True),
    BillingName(
        "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST", "mode", "lets another program choose the payer", switch=True
    ),
    BillingName(
        "CLAUDE_CODE_SDK_HAS_HOST_AUTH_REFRESH", "mode", "takes fresh tokens from the host", switch=True
    ),
    BillingName("CLAUDE_CODE_SDK_HAS_OAUTH_REFRESH", "mode", "takes fresh tokens from the host", switch=True),
    BillingName("CLAUDE_CODE_MANAGED_SETTINGS_PATH", "mode", "moves the managed settings"),
    BillingName("CLAUDE_CODE_REMOTE_SETTINGS_PATH", "mode", "moves the organisation's settings"),
    BillingName("CLAUDE_CODE_MOCK_REMOTE_SETTINGS", "mode", "replaces the organisation's settings"),
    BillingName("NODE_TLS_REJECT_UNAUTHORIZED", "mode", "exposes the login to anyone on the network path"),
    BillingName("CLAUDE_CODE_SUBSCRIPTION_TYPE", "login", "changes the plan the CLI claims to have"),
    BillingName("CLAUDE_CODE_RATE_LIMIT_TIER", "login", "changes the plan the CLI claims to have"),
    BillingName("CLAUDE_CONFIG_DIR", "login", "moves the stored login"),
    BillingName("CLAUDE_SECURESTORAGE_CONFIG_DIR", "login", "moves the stored login"),
    BillingName(
        "ANTHROPIC_CONFIG_DIR", "login", "moves the Anthropic profiles; an active one can override the login"
    ),
    BillingName("ANTHROPIC_PROFILE", "login", "signs in with an Anthropic profile"),
    BillingName("ANTHROPIC_FEDERATION_RULE_ID", "login", "signs in as a workload"),
    BillingName("ANTHROPIC_ORGANIZATION_ID", "login", "signs in as a workload"),
    BillingName("ANTHROPIC_WORKSPACE_ID", "login", "signs in as a workload"),
    BillingName("ANTHROPIC_SERVICE_ACCOUNT_ID", "login", "signs in as a workload"),
    BillingName("ANTHROPIC_IDENTITY_TOKEN", "login", "signs in as a workload"),
    BillingName("ANTHROPIC_IDENTITY_TOKEN_FILE", "login", "signs in as a workload"),
    BillingName("HTTP_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("HTTPS_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("ALL_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("NO_PROXY", "proxy", "addresses that bypass the proxy", pays=False),
    BillingName(
        "NODE_EXTRA_CA_CERTS", "proxy", "an extra certificate authority, as company proxies need", pays=False
    ),
)
#: Settings outside an `env` block that decide who pays.
BILLING_SETTINGS: tuple[BillingName, ...] = (
    BillingName("apiKeyHelper", "key_helper", "a command that prints an API key; overrides every login"),
)
#: The owner's own login, which the child is given: not a danger where the owner set it, but one where anybody else did.
SEAT_LOGIN = frozenset({"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR"})
#: Where the child looks for its files. Another value means that the files oneseat looked at are not the ones it reads.
FILE_LOCATIONS = frozenset({"HOME", "USERPROFILE", "XDG_CONFIG_HOME"})

#: `CLAUDE_CODE_USE_...` is a cloud until proved otherwise: each new version can bring another one. These are not.
_NOT_A_CLOUD = frozenset(
    {
        "CLAUDE_CODE_USE_CCR_V2",
        "CLAUDE_CODE_USE_COWORK_PLUGINS",
        "CLAUDE_CODE_USE_NATIVE_FILE_SEARCH",
        "CLAUDE_CODE_USE_POWERSHELL_TOOL",
    }
)
_EXACT = {entry.name: entry for entry in BILLING_NAMES if not entry.prefix}
_PREFIXES = tuple(entry for entry in BILLING_NAMES if entry.prefix)


def billing_name(name: str) -> BillingName | None:
    """The table's entry for an environment variable, ``None`` when it cannot matter.

    Case does not count: Windows ignores it, and proxies are usually written in lower case.
    """
    upper = name.upper()
    if upper in _NOT_A_CLOUD:
        return None
    return _EXACT.get(upper) or next((entry for entry in _PREFIXES if upper.startswith(entry.name)), None)
