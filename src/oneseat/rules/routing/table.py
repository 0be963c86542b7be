"""Builds the routing table from the settings for seats, keys and roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.keys import ApiKey
from oneseat.contract.providers import SEATS
from oneseat.contract.routing import Candidate, PaidFrom, Role, RoleSettings, RouteTable, Wanted

_ORDER: dict[PaidFrom, int] = {"plan": 0, "api_credits": 1, "api_key": 2}


def table_of(
    seat: str, fallback: Sequence[str], keys: Mapping[str, ApiKey], roles: Iterable[RoleSettings]
) -> RouteTable:
    """The routing table of an app. ``fallback`` names seats and keys.

    Raises ``UsageError``: ``usage.unknown_key`` and ``usage.unknown_provider`` for names that the settings do not define.
    """
    of_keys = {name: _of_key(key) for name, key in keys.items()}
    found = [_named(name, of_keys, "fallback.to") for name in fallback]
    return RouteTable(
        seat=Candidate(provider=seat),
        # Cheapest first, in any order of the setting: a plan, included credits, then wallets that are charged by use.
        fallback=tuple(sorted(found, key=lambda each: _ORDER[each.paid_from])),
        keys=tuple(sorted(of_keys.values(), key=lambda each: _ORDER[each.paid_from])),
        roles={role.name: _role(role, of_keys) for role in roles},
    )


def _of_key(key: ApiKey) -> Candidate:
    paid_from: PaidFrom = "api_credits" if key.credits else "api_key"
    return Candidate(provider=key.provider, model=key.model, paid_from=paid_from, key=key.name)


def _role(role: RoleSettings, keys: Mapping[str, Candidate]) -> Role:
    place = f"roles.{role.name}.candidates"
    return Role(name=role.name, candidates=tuple(_wanted(each, keys, place) for each in role.candidates))


def _wanted(wanted: Wanted, keys: Mapping[str, Candidate], place: str) -> Candidate:
    base = _named(wanted.key or wanted.provider or "", keys, place, is_key=wanted.key is not None)
    return Candidate(
        provider=base.provider,
        model=wanted.model or base.model,
        paid_from=base.paid_from,
        key=base.key,
        when=wanted.when,
    )


def _named(name: str, keys: Mapping[str, Candidate], place: str, *, is_key: bool | None = None) -> Candidate:
    """The candidate that the settings name; ``is_key`` is ``None`` if it may be a seat or a key."""
    if is_key is not True and name in SEATS:
        return Candidate(provider=name)
    if is_key is not False and name in keys:
        return keys[name]
    known = [*(() if is_key else SEATS), *(() if is_key is False else keys)]
    near = get_close_matches(name, known, n=1)
    what = "seat" if is_key is False else "key"
    hint = f"Write `{near[0]}` instead" if near else f"Add the key: `oneseat key set {name}`"
    raise UsageError(
        ErrorInfo(
            code="usage.unknown_provider" if is_key is False else "usage.unknown_key",
            message=f"Your settings name an unknown {what}: `{name}`\n  in `{place}`; "
            + (f"there are {', '.join(known)}" if known else "there is none"),
            hint=None if is_key is False and not near else hint,
        )
    )
