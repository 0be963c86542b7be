"""The policy inputs of a request. Oneseat's own guarantees are stated only here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec

from oneseat.contract.policy import (
    AccountState,
    DrawsFrom,
    Host,
    InputName,
    Overage,
    PackState,
    PlanKind,
    PolicyInputs,
    ReachableBy,
    RecentActivity,
    TokenHandling,
    Volume,
)
from oneseat.contract.policy_pack import Confirmation, Pack, Thresholds
from oneseat.contract.request import Request

#: Inputs that only the official CLI can provide, at the billing gate. Until then they are as the owner stated or, if nothing was
#: stated, assumed to be fine; the gate decides again with the CLI's answer.
AT_THE_GATE: frozenset[InputName] = frozenset({"plan", "token_handling"})
#: The vendor's name of a login, by how its token is handled.
_AUTH_METHODS: dict[TokenHandling, str] = {
    "native_login": "claude.ai",
    "env_setup_token_by_owner": "oauth_token",
}
_HELD: dict[str, AccountState] = {
    "provider.account_on_hold": "on_hold",
    "provider.verification_required": "verification_required",
}
#: How long before the rules allow nothing any more their owner is told, in days.
_SOON_DAYS = 30
#: Prefix of a plan's name.
_VENDOR = "claude "


class PolicyEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs that do not come from the request: from the owner's settings, this machine and the ledger.

    ``plan`` is what the owner stated; ``None`` leaves it to the billing gate. ``now`` is in seconds since 1970.
    """

    humans: int = 1
    host: Host = "owner_machine"
    plan: PlanKind | None = None
    activity: RecentActivity = RecentActivity()
    now: float = 0.0


def inputs_of(
    request: Request,
    environment: PolicyEnvironment,
    pack: Pack,
    day: str,
    confirmed: Iterable[Confirmation] = (),
) -> PolicyInputs:
    """The inputs of a request before the billing gate. ``day`` is ISO 8601.

    They include what oneseat itself guarantees: it starts the official program unmodified, with the login that this
    program keeps, offers no sign-in of its own, never sees or passes on a token, keeps redirects from the child, uses one
    account and does not change it.
    """
    purpose, entry = request.purpose, request.entry
    # The private socket asks the system for the caller's user. Any other entry point must state how it is protected.
    local = entry.exposure in {"none_stdio", "unix_socket"}
    reachable_by_itself: ReachableBy = "owner" if environment.humans == 1 else "unknown"
    return PolicyInputs(
        request_author=purpose.author,
        output_consumer=purpose.reader,
        output_reviewed="yes" if purpose.reviewed else "no",
        work_owner=purpose.work_owner,
        exposure=entry.exposure,
        client_secret="yes" if local else entry.client_secret,
        local_api="no" if local else entry.local_api,
        reachable_by=reachable_by_itself if local else entry.reachable_by,
        distinct_humans=environment.humans,
        host=environment.host,
        plan=environment.plan or "unknown",
        volume=volume_of(environment.activity, pack.thresholds, attended=entry.attended),
        overage_state=_overage(environment.activity, environment.now),
        account_state=_account_state(environment.activity, confirmed),
        pack_state=pack_state(pack, day),
        draws_from=draws_from(pack, day, "native_login"),
        token_handling="native_login",  # noqa: S106 - a word about tokens
        harness=entry.harness,
        endpoint_override="none",
        accounts_in_use=1,
        account_use="own",
        auth_methods="all_kept",
        automation_of="owner",
        bearer_seen_by="vendor",
        given_to="owner",
        repository="none",
        sign_in="vendors",
    )


def volume_of(activity: RecentActivity, thresholds: Thresholds, *, attended: bool) -> Volume:
    """How much the seat is used. ``attended`` is whether a person is at the terminal."""
    if (
        activity.at_once > thresholds.max_parallel_plan_runs.value
        or activity.last_hour > thresholds.max_plan_runs_per_hour.value
    ):
        return "heavy_fanout"
    if (
        activity.hours >= thresholds.continuous_hours_per_day.value
        and activity.last_day >= thresholds.continuous_runs_per_day.value
    ):
        return "continuous_24x7"
    return "interactive" if attended else "scheduled_light"


def pack_state(pack: Pack, day: str) -> PackState:
    """Whether the rules are out of date on this day (ISO 8601)."""
    if day >= pack.meta.hard_stale_after:
        return "hard_stale"
    return "review_due" if day >= pack.meta.review_after else "fresh"


def expires_soon(pack: Pack, day: str) -> str | None:
    """From which day on the rules allow nothing on the plan (ISO 8601), if this day is one of the 30 before, or later."""
    left = date.fromisoformat(pack.meta.hard_stale_after) - date.fromisoformat(day)
    return pack.meta.hard_stale_after if left.days <= _SOON_DAYS else None


def draws_from(pack: Pack, day: str, token: TokenHandling) -> DrawsFrom:
    """What headless runs of the official CLI draw from on this day with this login; unknown unless the pack is unambiguous."""
    method = _AUTH_METHODS.get(token)
    found = {
        route.draws_from
        for route in pack.billing_routes
        if route.harness == "official_cli_unmodified"
        and route.mode in {"print", "any"}
        and route.auth_method == method
        and route.holds(day)
    }
    return found.pop() if len(found) == 1 else "unknown"


def plan_of(name: str | None, pack: Pack) -> PlanKind:
    """The plan for a name from the official CLI, such as ``Claude Max`` or the older ``Claude Max 20x``."""
    if name is None:
        return "unknown"
    wanted = name.strip().lower().removeprefix(_VENDOR)
    # Decode as plain data: a run needs only two fields, and loading the types would slow every run.
    plans: list[dict[str, Any]] = msgspec.json.decode(pack.plans)
    for plan in plans:
        if plan["vendor"] == "anthropic" and wanted in map(str.lower, plan["names"]):
            found: PlanKind = msgspec.convert(plan["id"], PlanKind)
            return found
    return "unknown"


def _overage(activity: RecentActivity, now: float) -> Overage:
    if activity.overage_until is not None and now < activity.overage_until:
        return "in_use"
    return "stopped_when_seen"


def _account_state(activity: RecentActivity, confirmed: Iterable[Confirmation]) -> AccountState:
    hold = _HELD.get(activity.last_error or "")
    if hold is None:
        return "in_order"
    # The hold stays until the owner confirms, after the vendor's report, that it is resolved.
    cleared = any(
        each.because.get("account_state") == hold and each.at > (activity.last_end or "")
        for each in confirmed
    )
    return "in_order" if cleared else hold
