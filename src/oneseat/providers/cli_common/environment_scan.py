"""Finds the variables that decide who pays, in the caller's or the child's environment and in `.env` files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from oneseat.contract.billing_names import FILE_LOCATIONS, BillingName, BillingNames
from oneseat.contract.facts import CredentialSource, SourceKind

from .safe_read import UnreadableError, read_file

#: The values that a CLI reads as "off", measured with CLAUDE_CODE_USE_BEDROCK.
OFF = frozenset({"", "0", "false", "no", "off"})
#: `NAME=value`, `export NAME=value`; only the first character of the value is read, to see that there is one.
_ASSIGNMENT = re.compile(
    rb"^[ \t]*+(?:export[ \t]++)?+([A-Za-z_][A-Za-z0-9_]*+)[ \t]*+=[ \t]*+(?![\r\n#])\S", re.MULTILINE
)


def is_set(entry: BillingName, value: str) -> bool:
    """Whether a variable with this value has an effect: an empty value has none, and a switch can be off."""
    return value != "" and not (entry.switch and value.strip().lower() in OFF)


def scan_environment(env: Mapping[str, str], names: BillingNames) -> tuple[CredentialSource, ...]:
    """The credential sources in the caller's environment that could change who pays, except the owner's own login."""
    return tuple(
        CredentialSource(name=name, kind=entry.kind, scope="environment", place="environment")
        for name, value in sorted(env.items())
        if (entry := names.find(name)) is not None
        and entry.pays
        and is_set(entry, value)
        and name.upper() not in names.login
    )


def scan_dotenv_file(path: Path, names: BillingNames) -> tuple[CredentialSource, ...]:
    """The credential sources in a `.env` file that could change who pays."""
    try:
        content = read_file(path)
    except UnreadableError:
        return (CredentialSource(name=path.name, kind="unreadable", scope="dotenv", place=str(path)),)
    found = [match[1].decode("ascii") for match in _ASSIGNMENT.finditer(content[0])] if content else []
    return tuple(
        CredentialSource(name=name, kind=entry.kind, scope="dotenv", place=str(path))
        for name in dict.fromkeys(found)
        if (entry := names.find(name)) is not None and entry.pays
    )


def child_sources(
    environ: Mapping[str, str], expected: Mapping[str, str], names: BillingNames
) -> tuple[CredentialSource, ...]:
    """The credential sources in the child's real environment that it was not given: a wrapper script can export anything.

    ``expected`` is the environment the child was started with. A variable that oneseat set is accepted if its value is
    unchanged; so are the variables by which the child finds its files.
    """
    given = {name.upper(): value for name, value in expected.items()}
    found = []
    for name, value in sorted(environ.items()):
        kind = _kind(name, value, names)
        if kind is not None and given.get(name.upper()) != value:
            found.append(
                CredentialSource(name=name, kind=kind, scope="child", place="environment of the CLI process")
            )
    return tuple(found)


def missing_names(
    environ: Mapping[str, str], expected: Mapping[str, str], names: BillingNames
) -> tuple[str, ...]:
    """The variables that decide who pays and were given to the child, but are no longer in its environment.

    Without its folder the CLI looks for a login elsewhere; without its base URL a simulated run goes to the vendor.
    """
    has = {name.upper() for name, value in environ.items() if value}
    return tuple(
        name
        for name, value in sorted(expected.items())
        if _kind(name, value, names) is not None and name.upper() not in has
    )


def _kind(name: str, value: str, names: BillingNames) -> SourceKind | None:
    if name.upper() in FILE_LOCATIONS:
        return "login"
    entry = names.find(name)
    return entry.kind if entry is not None and entry.pays and is_set(entry, value) else None
