"""``[keys.NAME]`` tables: where an API key is stored and what it may be used for. The key itself is in no settings file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from oneseat.contract.keys import ApiKey
from oneseat.contract.providers import KeyProvider

from .checks import DOLLARS, FLAG, PATH, TEXT, Check, one_of
from .tables import Contradiction, NamedTable

#: A Google API key looks like a variable name: refuse it, so that it is not taken for one.
_VARIABLE = re.compile(r"(?!ONESEAT_|AIza[A-Za-z0-9_]{20})[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
#: A strict grammar instead of a URL parser: a user name, a query or a fragment does not match. Plain `http://` is for this
#: machine only, or the key could be read on the way.
_BASE_URL = re.compile(
    r"(?:https://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"|http://(?:127\.0\.0\.1|localhost|\[::1\]))(?::([1-9][0-9]{0,4}))?(?:/[A-Za-z0-9._~%:-]*)*",
    re.ASCII,
)


def _variable(value: object) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError(value)
    return value


def _base_url(value: object) -> str:
    match = _BASE_URL.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1] or 1) > 65535:
        raise ValueError(value)
    return match[0].rstrip("/")


def _contradiction(_: str, table: Mapping[str, object]) -> Contradiction | None:
    if "provider" not in table:
        return Contradiction("it has no `provider`", 'Name its provider, as in `provider = "anthropic"`')
    if "env" in table and "file" in table:
        return Contradiction("it has both `env` and `file`", "Keep one of them")
    if table["provider"] == "openai-compatible" and "base_url" not in table:
        return Contradiction(
            "an `openai-compatible` provider has no address of its own",
            'Name it, as in `base_url = "http://127.0.0.1:11434/v1"`',
        )
    if table.get("charges") is False:
        return _contradiction_of_free(table)
    return None


def _contradiction_of_free(table: Mapping[str, object]) -> Contradiction | None:
    if "base_url" not in table:
        return Contradiction(
            "with `charges = false` it needs a `base_url`: the vendor's own API is paid for", None
        )
    if table.get("credits"):
        return Contradiction("it has both `credits = true` and `charges = false`", "Keep one of them")
    return None


_SET = "API keys do not belong in a settings file. Remove it, then: `oneseat key set NAME`"

KEYS = NamedTable(
    table="keys",
    noun="API key",
    make=ApiKey,
    contradiction=_contradiction,
    misplaced=dict.fromkeys(("key", "api_key", "value", "token", "secret"), _SET),
    keys={
        "provider": (one_of(*get_args(KeyProvider)), "The provider this API key belongs to"),
        "env": (
            Check(
                "the name of an environment variable, none of oneseat's own",
                _variable,
                hint="If this is the API key itself, remove it: `oneseat key set NAME` asks for it without showing it",
                hidden=True,
            ),
            "The environment variable that holds the API key, instead of the operating system's keyring",
        ),
        "file": (
            PATH,
            "A file that holds only the API key, instead of the keyring; readable only by its owner",
        ),
        "credits": (FLAG, "Whether this API key uses the API credits that a plan includes"),
        "base_url": (
            Check(
                "`https://HOST/PATH`, or `http://127.0.0.1:PORT/PATH` on this machine; without a user name",
                _base_url,
                secretive=True,
            ),
            "Base URL used instead of the vendor's: your gateway, or a server such as Ollama or vLLM",
        ),
        "charges": (
            FLAG,
            "Whether requests cost money; `false`, allowed only with a `base_url`, needs no API key",
        ),
        "model": (TEXT, "Model for runs that name no model of this provider"),
        "run_budget_usd": (DOLLARS, "Budget of one run with this API key"),
        "day_budget_usd": (DOLLARS, "Daily budget of this API key"),
        "month_budget_usd": (DOLLARS, "Monthly budget of this API key"),
    },
)
