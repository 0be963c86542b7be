"""Finds the names that decide who pays in an environment, the caller's or the child's own, and in `.env` files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from oneseat.contract.billing_names import FILE_LOCATIONS, BillingName, BillingNames
from oneseat.contract.facts import CredentialSource, SourceKind

from .safe_read import UnreadableError, read_file

#: What a CLI takes for "no" in the value of a switch, measured with CLAUDE_CODE_USE_BEDROCK.
OFF = frozenset({"", "0", "false", "no", "off"})
#: `NAME=value`, `export NAME=value`; the value is read only far enough to see that there is one.
_ASSIGNMENT = re.compile(
    rb"^[ \t]*+(?:export[ \t]++)?+([A-Za-z_][A-Za-z0-9_]*+)[ \t]*+=[ \t]*+(?![\r\n#])\S", re.MULTILINE
)


def is_set(entry: BillingName, value: str) -> bool:
    """Whether a name with this value has an effect: an empty value never has, and a switch can say no."""
    return value != "" and not (entry.switch and value.strip().lower() in OFF)


def scan_environment(env: Mapping[str, str], names: BillingNames) -> tuple[CredentialSource, ...]:
    """What the caller's environment holds that could change who pays; the owner's own login does not count."""
    return tuple(
        CredentialSource(name=name, kind=entry.kind, scope="environment", place="environment")
        for name, value in sorted(env.items())
        if (entry := names.find(name)) is not None
        and entry.pays
        and is_set(entry, value)
        and name.upper() not in names.login
    )


def scan_dotenv_file(path: Path, names: BillingNames) -> tuple[CredentialSource, ...]:
    """What a `.env` file holds that could change who pays."""
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
    """What is in the child's real environment and was not given to it: a script around the CLI can export anything.

    ``expected`` is the environment the child was started with. A name that oneseat set is fine as long as its value is
    the one it set; so are the folders the child finds its files by.
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
    """The names that decide who pays, were given to the child, and are no longer in its environment.

    Without its folder the CLI looks for a login elsewhere; without its address a simulated run goes to the vendor.
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
