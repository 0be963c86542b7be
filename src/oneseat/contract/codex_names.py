"""The names that decide who pays for a run of the official `codex` CLI. What each one does was measured on codex 0.169.0,
or read in it where it says so.
"""

from __future__ import annotations

from .billing_names import BillingName

CODEX_NAMES: tuple[BillingName, ...] = (
    BillingName(
        "CODEX_API_KEY", "api_key", "an API key; overrides the login in `codex exec`, and no status shows it"
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
    BillingName("HTTP_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("HTTPS_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("ALL_PROXY", "proxy", "a proxy; the login stays encrypted", pays=False),
    BillingName("NO_PROXY", "proxy", "addresses that bypass the proxy", pays=False),
    BillingName("CODEX_HOME", "login", "moves the stored login"),
)
#: The owner's own login, which the child is given.
CODEX_LOGIN = frozenset({"CODEX_HOME"})

_EXACT = {entry.name: entry for entry in CODEX_NAMES if not entry.prefix}
_PREFIXES = tuple(entry for entry in CODEX_NAMES if entry.prefix)


def codex_name(name: str) -> BillingName | None:
    """The table's entry for an environment variable, ``None`` when it cannot matter. Case does not count."""
    upper = name.upper()
    return _EXACT.get(upper) or next((entry for entry in _PREFIXES if upper.startswith(entry.name)), None)
