"""The names that decide who pays in an environment: the caller's, and the one the child really has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from oneseat.contract.billing_names import FILE_LOCATIONS, SEAT_LOGIN, BillingName, billing_name
from oneseat.contract.facts import CredentialSource, SourceKind

from .settings_block import is_set

#: The entry of a CLI's table for a name of an environment; ``None`` for one that cannot matter.
Named: TypeAlias = Callable[[str], BillingName | None]


def scan_environment(env: Mapping[str, str], named: Named = billing_name) -> tuple[CredentialSource, ...]:
    """What the caller's environment holds that could change who pays. The seat's own login is no such thing."""
    return tuple(
        CredentialSource(name=name, kind=entry.kind, scope="environment", place="environment")
        for name, value in sorted(env.items())
        if (entry := named(name)) is not None
        and entry.pays
        and is_set(entry, value)
        and name.upper() not in SEAT_LOGIN
    )


def child_sources(
    environ: Mapping[str, str], expected: Mapping[str, str], named: Named = billing_name
) -> tuple[CredentialSource, ...]:
    """What is in the child's real environment and was not given to it: a script around the CLI can export anything.

    ``expected`` is the environment the child was started with. A name that oneseat set is fine as long as its value is
    the one it set; so are the folders the child finds its files by.
    """
    given = {name.upper(): value for name, value in expected.items()}
    found = []
    for name, value in sorted(environ.items()):
        kind = _kind(name, value, named)
        if kind is not None and given.get(name.upper()) != value:
            found.append(
                CredentialSource(name=name, kind=kind, scope="child", place="environment of the CLI process")
            )
    return tuple(found)


def missing_names(
    environ: Mapping[str, str], expected: Mapping[str, str], named: Named = billing_name
) -> tuple[str, ...]:
    """What the child was given that decides who pays and is no longer in its environment.

    Without its folder the CLI looks for a login elsewhere; without its address a simulated run goes to the vendor.
    """
    has = {name.upper() for name, value in environ.items() if value}
    return tuple(
        name
        for name, value in sorted(expected.items())
        if _kind(name, value, named) is not None and name.upper() not in has
    )


def _kind(name: str, value: str, named: Named) -> SourceKind | None:
    if name.upper() in FILE_LOCATIONS:
        return "login"
    entry = named(name)
    return entry.kind if entry is not None and entry.pays and is_set(entry, value) else None
