"""The names that decide who pays, one table for each official CLI and every place they can hide in.

The tables serve the scan of the caller's environment, the `env` blocks of settings files, `.env` files, the check of the child's
own environment, and the refusal to pass such a name on. What each name does was measured on claude 2.1.197 to 2.1.332 and on
codex 0.169.0, or read in them where it says so.
"""

from __future__ import annotations

from collections.abc import Sequence

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


class BillingNames:
    """The names that matter to one CLI: ``variables``, and ``settings`` outside an `env` block.

    ``login`` names the variables of the owner's own login, which the child is given: only a danger where somebody else set them.
    ``harmless`` names are not in the table although a prefix of it matches them.
    """

    def __init__(
        self,
        variables: Sequence[BillingName],
        *,
        login: frozenset[str],
        settings: Sequence[BillingName] = (),
        harmless: frozenset[str] = frozenset(),
    ) -> None:
        self.variables = tuple(variables)
        self.settings = tuple(settings)
        self.login = login
        self._harmless = harmless
        self._exact = {entry.name: entry for entry in variables if not entry.prefix}
        self._prefixes = tuple(entry for entry in variables if entry.prefix)

    def find(self, name: str) -> BillingName | None:
        """The entry for an environment variable, ``None`` when it cannot matter.

        Case does not count: Windows ignores it, and proxies are usually written in lower case.
        """
        upper = name.upper()
        if upper in self._harmless:
            return None
        return self._exact.get(upper) or next(
            (entry for entry in self._prefixes if upper.startswith(entry.name)), None
        )


#: Where a child looks for its files. With another value, the files that oneseat checked are not the ones the child reads.
FILE_LOCATIONS = frozenset({"HOME", "USERPROFILE", "XDG_CONFIG_HOME"})

#: Variables that load code into a program, or change what its libraries do, before its first line: code of anybody's can send
#: the login to another address.
_LOADERS = (
    "LD_",
    "DYLD_",
    "BUN_",
    "NODE_",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "ELECTRON_",
    "_RLD",
    "LDR_PRELOAD",
)
#: The one of those names that only adds certificate authorities, as company proxies need, or trusts the system's.
_NO_LOADERS = frozenset({"NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA"})


def loads_code(name: str) -> bool:
    """Whether an environment variable of this name can bring code into the program that is given it."""
    return name.upper().startswith(_LOADERS) and name.upper() not in _NO_LOADERS


_PROXIES = (
    BillingName("HTTP_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("HTTPS_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("ALL_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("NO_PROXY", "proxy", "addresses that bypass the proxy", pays=False),
)

CLAUDE_NAMES = BillingNames(
    (
        BillingName("ANTHROPIC_API_KEY", "api_key", "an API key; overrides every login without asking"),
        BillingName("CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", "api_key", "an API key, read from an open file"),
        BillingName("ANTHROPIC_AUTH_TOKEN", "auth_token", "a bearer token; overrides every login"),
        BillingName(
            "CLAUDE_CODE_GATEWAY_TOKEN_FILE_DESCRIPTOR", "auth_token", "a token for a company gateway"
        ),
        BillingName(
            "CLAUDE_CODE_HOST_AUTH_ENV_VAR", "auth_token", "names another variable to take a token from"
        ),
        BillingName("CLAUDE_CODE_HOST_CREDS_FILE", "auth_token", "names a file to take a token from"),
        BillingName(
            "CLAUDE_CODE_OAUTH_TOKEN", "oauth_token", "a subscription token; overrides the stored login"
        ),
        BillingName(
            "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "oauth_token", "a subscription token from a file"
        ),
        BillingName("CLAUDE_CODE_OAUTH_REFRESH_TOKEN", "oauth_token", "signs in with a refresh token"),
        BillingName("CLAUDE_CODE_OAUTH_SCOPES", "oauth_token", "changes how a login is classified"),
        BillingName("CLAUDE_CODE_OAUTH_CLIENT_ID", "oauth_token", "signs in as another program"),
        BillingName("CLAUDE_CODE_SESSION_ACCESS_TOKEN", "oauth_token", "the token of a hosted session"),
        BillingName("CLAUDE_CODE_SESSIONS_OAUTH_TOKEN", "oauth_token", "the token of a hosted session"),
        BillingName(
            "CLAUDE_CODE_WEBSOCKET_AUTH_FILE_DESCRIPTOR", "oauth_token", "the token of a hosted session"
        ),
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
        BillingName(
            "_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL", "base_url", "hides that the address was changed"
        ),
        BillingName(
            "ANTHROPIC_CUSTOM_HEADERS", "headers", "adds headers; can add a key or replace the login"
        ),
        BillingName("ANTHROPIC_BETAS", "headers", "adds beta features to every request"),
        BillingName("CLAUDE_CODE_EXTRA_BODY", "headers", "adds fields to every request"),
        BillingName("CLAUDE_CODE_EXTRA_METADATA", "headers", "changes whom a request is attributed to"),
        BillingName(
            "CLAUDE_CODE_USE_", "cloud", "bills a cloud account or a gateway", switch=True, prefix=True
        ),
        BillingName(
            "CLAUDE_CODE_SPEND_PROJECT", "headers", "changes which project spending is attributed to"
        ),
        BillingName("CLAUDE_CODE_SIMPLE", "mode", "reads API keys only, never a login", switch=True),
        BillingName("CLAUDE_CODE_REMOTE", "mode", "makes the CLI act as a hosted session", switch=True),
        BillingName(
            "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
            "mode",
            "lets another program choose the payer",
            switch=True,
        ),
        BillingName(
            "CLAUDE_CODE_SDK_HAS_HOST_AUTH_REFRESH", "mode", "takes fresh tokens from the host", switch=True
        ),
        BillingName(
            "CLAUDE_CODE_SDK_HAS_OAUTH_REFRESH", "mode", "takes fresh tokens from the host", switch=True
        ),
        BillingName("CLAUDE_CODE_MANAGED_SETTINGS_PATH", "mode", "moves the managed settings"),
        BillingName("CLAUDE_CODE_REMOTE_SETTINGS_PATH", "mode", "moves the organisation's settings"),
        BillingName("CLAUDE_CODE_MOCK_REMOTE_SETTINGS", "mode", "replaces the organisation's settings"),
        BillingName(
            "NODE_TLS_REJECT_UNAUTHORIZED", "mode", "exposes the login to anyone on the network path"
        ),
        BillingName("CLAUDE_CODE_SUBSCRIPTION_TYPE", "login", "changes the plan the CLI claims to have"),
        BillingName("CLAUDE_CODE_RATE_LIMIT_TIER", "login", "changes the plan the CLI claims to have"),
        BillingName("CLAUDE_CONFIG_DIR", "login", "moves the stored login"),
        BillingName("CLAUDE_SECURESTORAGE_CONFIG_DIR", "login", "moves the stored login"),
        BillingName(
            "ANTHROPIC_CONFIG_DIR",
            "login",
            "moves the Anthropic profiles; an active one can override the login",
        ),
        BillingName("ANTHROPIC_PROFILE", "login", "signs in with an Anthropic profile"),
        BillingName("ANTHROPIC_FEDERATION_RULE_ID", "login", "signs in as a workload"),
        BillingName("ANTHROPIC_ORGANIZATION_ID", "login", "signs in as a workload"),
        BillingName("ANTHROPIC_WORKSPACE_ID", "login", "signs in as a workload"),
        BillingName("ANTHROPIC_SERVICE_ACCOUNT_ID", "login", "signs in as a workload"),
        BillingName("ANTHROPIC_IDENTITY_TOKEN", "login", "signs in as a workload"),
        BillingName("ANTHROPIC_IDENTITY_TOKEN_FILE", "login", "signs in as a workload"),
        BillingName(
            "NODE_EXTRA_CA_CERTS",
            "proxy",
            "an extra certificate authority, as company proxies need",
            pays=False,
        ),
        *_PROXIES,
    ),
    login=frozenset({"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR"}),
    settings=(
        BillingName("apiKeyHelper", "key_helper", "a command that prints an API key; overrides every login"),
    ),
    # `CLAUDE_CODE_USE_...` is a cloud until proved otherwise, as each version can bring another one. These are not.
    harmless=frozenset(
        {
            "CLAUDE_CODE_USE_CCR_V2",
            "CLAUDE_CODE_USE_COWORK_PLUGINS",
            "CLAUDE_CODE_USE_NATIVE_FILE_SEARCH",
            "CLAUDE_CODE_USE_POWERSHELL_TOOL",
        }
    ),
)

CODEX_NAMES = BillingNames(
    (
        BillingName(
            "CODEX_API_KEY",
            "api_key",
            "an API key; overrides the login in `codex exec`, and no status shows it",
        ),
        BillingName("OPENAI_API_KEY", "api_key", "an API key; ignored by 0.169.0, used by others"),
        BillingName("CODEX_ACCESS_TOKEN", "auth_token", "a token that replaces the login and breaks it"),
        BillingName("OPENAI_IDENTITY_TOKEN", "auth_token", "signs in as a workload", prefix=True),
        BillingName("OPENAI_FEDERATION_RULE_ID", "auth_token", "signs in as a workload"),
        BillingName("OPENAI_BASE_URL", "base_url", "sends requests and the login to another address"),
        BillingName("OPENAI_ORGANIZATION", "headers", "changes whom a request is billed to"),
        BillingName("OPENAI_PROJECT", "headers", "changes whom a request is billed to"),
        BillingName("CODEX_REFRESH_TOKEN_URL_OVERRIDE", "base_url", "renews the login at another address"),
        BillingName("CODEX_REVOKE_TOKEN_URL_OVERRIDE", "base_url", "revokes the login at another address"),
        BillingName("CODEX_APP_SERVER_", "mode", "changes how the app-server signs in", prefix=True),
        BillingName("CODEX_INTERNAL_", "mode", "makes the CLI act as another program", prefix=True),
        BillingName("CODEX_OSS_", "base_url", "sends requests to a local model", prefix=True),
        BillingName("CODEX_EXEC_SERVER_", "mode", "runs commands on another machine", prefix=True),
        BillingName("CODEX_CA_CERTIFICATE", "proxy", "an extra certificate authority", pays=False),
        BillingName("SSL_CERT_FILE", "proxy", "the certificate authorities to trust", pays=False),
        BillingName("CODEX_HOME", "login", "moves the stored login"),
        *_PROXIES,
    ),
    login=frozenset({"CODEX_HOME"}),
)

#: Every table, by the name of the provider.
BILLING_NAMES = {"claude-cli": CLAUDE_NAMES, "codex-cli": CODEX_NAMES}
