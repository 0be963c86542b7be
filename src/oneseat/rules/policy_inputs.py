"""What is known of a request, in the words of the policy. Oneseat's own guarantees are stated here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from oneseat.contract.pack import Confirmation, Pack, Thresholds
from oneseat.contract.policy import (
    AccountState,
    DrawsFrom,
    Host,
    InputName,
    Lately,
    Overage,
    PackState,
    PlanKind,
    PolicyInputs,
    ReachableBy,
    TokenHandling,
    Volume,
)
from oneseat.contract.request import Request

#: What only the official CLI can tell, when it is asked who pays. Until then it is taken to be as the owner has stated,
#: or, where nothing was stated, fine; the billing gate asks again with what the CLI says.
AT_THE_GATE: frozenset[InputName] = frozenset({"plan", "token_handling"})
#: What the vendor calls a login, by what becomes of its token.
_AUTH_METHODS: dict[TokenHandling, str] = {
    "native_login": "claude.ai",
    "env_setup_token_by_owner": "oauth_token",
}
_HELD: dict[str, AccountState] = {
    "provider.account_on_hold": "on_hold",
    "provider.verification_required": "verification_required",
}
#: Before the size of a plan.
_VENDOR = "claude "


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is known besides the request: from the owner's settings, this machine and the ledger.

    ``plan`` is what the owner says; ``None`` leaves it to the billing gate. ``now`` is in seconds since 1970.
    """

    humans: int = 1
    host: Host = "owner_machine"
    plan: PlanKind | None = None
    lately: Lately = Lately()
    now: float = 0.0


def inputs_of(
    request: Request, around: Around, pack: Pack, day: str, confirmed: Iterable[Confirmation] = ()
) -> PolicyInputs:
    """The inputs of a request before anybody was asked who pays. ``day`` is ISO 8601.

    What oneseat itself guarantees is said with it: it starts the official program unmodified, with the login that this
    program keeps, offers no sign-in of its own, never sees or passes on a token, keeps redirects from the child, uses one
    account and does not change it.
    """
    purpose, entry = request.purpose, request.entry
    # The private socket asks the system who calls. Whoever opens another way in has to say what guards it.
    local = entry.exposure in {"none_stdio", "unix_socket"}
    reachable_by_itself: ReachableBy = "owner" if around.humans == 1 else "unknown"
    return PolicyInputs(
        request_author=purpose.author,
        output_consumer=purpose.reader,
        output_reviewed="yes" if purpose.reviewed else "no",
        work_owner=purpose.work_owner,
        exposure=entry.exposure,
        client_secret="yes" if local else entry.client_secret,
        local_api="no" if local else "unknown",
        reachable_by=reachable_by_itself if local else entry.reachable_by,
        distinct_humans=around.humans,
        host=around.host,
        plan=around.plan or "unknown",
        volume=volume_of(around.lately, pack.thresholds, attended=entry.attended),
        overage_state=_overage(around.lately, around.now),
        account_state=_account_state(around.lately, confirmed),
        pack_state=pack_state(pack, day),
        draws_from=draws_from(pack, day, "native_login"),
        token_handling="native_login",  # noqa: S106 - a word about tokens
        harness="official_cli_unmodified",
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


def volume_of(lately: Lately, thresholds: Thresholds, *, attended: bool) -> Volume:
    """How much is asked of the seat. ``attended`` is whether somebody sits at the terminal."""
    if (
        lately.at_once > thresholds.max_parallel_plan_runs.value
        or lately.last_hour > thresholds.max_plan_runs_per_hour.value
    ):
        return "heavy_fanout"
    if (
        lately.hours >= thresholds.continuous_hours_per_day.value
        and lately.last_day >= thresholds.continuous_runs_per_day.value
    ):
        return "continuous_24x7"
    return "interactive" if attended else "scheduled_light"


def pack_state(pack: Pack, day: str) -> PackState:
    """How old the rules are on this day (ISO 8601)."""
    if day >= pack.meta.hard_stale_after:
        return "hard_stale"
    return "review_due" if day >= pack.meta.review_after else "fresh"


def draws_from(pack: Pack, day: str, token: TokenHandling) -> DrawsFrom:
    """What the official CLI's headless runs are paid from on this day, signed in this way. Two answers are none."""
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
    """The plan that the official CLI names, such as ``Claude Max`` or, with its old size, ``Claude Max 20x``."""
    if name is None:
        return "unknown"
    wanted = name.strip().lower().removeprefix(_VENDOR)
    # As plain data: a run asks for two keys of them, and the closed types take longer to load than a run may.
    plans: list[dict[str, Any]] = msgspec.json.decode(pack.plans)
    for plan in plans:
        if plan["vendor"] == "anthropic" and wanted in map(str.lower, plan["names"]):
            found: PlanKind = msgspec.convert(plan["id"], PlanKind)
            return found
    return "unknown"


def _overage(lately: Lately, now: float) -> Overage:
    if lately.overage_until is not None and now < lately.overage_until:
        return "in_use"
    return "stopped_when_seen"


def _account_state(lately: Lately, confirmed: Iterable[Confirmation]) -> AccountState:
    held = _HELD.get(lately.last_error or "")
    if held is None:
        return "in_order"
    # The vendor's word holds until a person says that they have seen to it, after it was given.
    cleared = any(
        each.because.get("account_state") == held and each.at > (lately.last_end or "") for each in confirmed
    )
    return "in_order" if cleared else held
