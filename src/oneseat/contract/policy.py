"""The inputs of the policy: each is one of a closed list of words, with `unknown` for what is not known."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Author = Literal["owner", "owner_automation", "other_human", "anonymous", "unknown"]
Reader = Literal["owner", "owner_publishes", "third_party_direct", "customers", "unknown"]
WorkOwner = Literal["owner", "employer", "client", "other", "unknown"]
Exposure = Literal["none_stdio", "unix_socket", "loopback", "lan", "vpn", "public", "unknown"]
TokenHandling = Literal[
    "native_login",
    "env_setup_token_by_owner",
    "stored_by_tool",
    "injected_by_tool",
    "shared",
    "embedded",
    "unknown",
]
Harness = Literal[
    "official_cli_unmodified",
    "official_sdk_with_cli",
    "official_action",
    "modified_binary",
    "third_party_spoof",
    "raw_http_with_oauth",
    "unknown",
]
EndpointOverride = Literal["none", "logging_proxy", "gateway", "other", "unknown"]
#: ``paid_unnamed`` is a token of `claude setup-token`, which only paid plans can make and which does not name its plan.
PlanKind = Literal[
    "free",
    "pro",
    "max",
    "ultra",
    "team_seat",
    "ent_seat",
    "ent_usage",
    "api",
    "none",
    "paid_unnamed",
    "unknown",
]
Host = Literal["owner_machine", "owner_vps", "rented_runner", "customer_machine", "unknown"]
Volume = Literal["interactive", "scheduled_light", "heavy_fanout", "continuous_24x7", "unknown"]
#: ``stopped_when_seen``: unknown before the run; a run that shows overage is stopped at once.
Overage = Literal["off", "on", "in_use", "stopped_when_seen", "unknown"]
DrawsFrom = Literal[
    "plan_limits",
    "agent_sdk_credit",
    "api_credit",
    "api_paid",
    "usage_credits",
    "cloud_paid",
    "unknown",
]
AccountState = Literal["in_order", "on_hold", "verification_required", "unknown"]
PackState = Literal["fresh", "review_due", "hard_stale", "unknown"]
YesNo = Literal["yes", "no", "unknown"]
ReachableBy = Literal["owner", "others", "unknown"]

InputName = Literal[
    "request_author",
    "output_consumer",
    "work_owner",
    "exposure",
    "distinct_humans",
    "token_handling",
    "harness",
    "endpoint_override",
    "plan",
    "accounts_in_use",
    "host",
    "volume",
    "overage_state",
    "draws_from",
    "account_use",
    "account_state",
    "automation_of",
    "auth_methods",
    "bearer_seen_by",
    "client_secret",
    "given_to",
    "local_api",
    "output_reviewed",
    "pack_state",
    "reachable_by",
    "repository",
    "sign_in",
]


class PolicyInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a decision rests on. A number that is not known is ``None``; every other input has the word ``unknown``.

    The later ones are what single rules ask besides: whether several accounts are pooled or rotated (``account_use``),
    whether the vendor has put the account on hold, whose automation it is, whether a way to sign in was taken away, who
    sees the token on its way, whether a program on a loopback port has to know a secret of its own (``client_secret``),
    whom the tool was given to, whether it is a vendor's API for other programs (``local_api``), whether the owner reads what
    is published before it leaves, how old the rules are, who else reaches the machine, whose repository a runner works for, and
    whose sign-in is shown.
    """

    request_author: Author = "unknown"
    output_consumer: Reader = "unknown"
    work_owner: WorkOwner = "unknown"
    exposure: Exposure = "unknown"
    distinct_humans: int | None = None
    token_handling: TokenHandling = "unknown"  # noqa: S105 - a word about tokens
    harness: Harness = "unknown"
    endpoint_override: EndpointOverride = "unknown"
    plan: PlanKind = "unknown"
    accounts_in_use: int | None = None
    host: Host = "unknown"
    volume: Volume = "unknown"
    overage_state: Overage = "unknown"
    draws_from: DrawsFrom = "unknown"
    account_use: Literal["own", "pooled", "resold", "rotating", "unknown"] = "unknown"
    account_state: AccountState = "unknown"
    automation_of: Literal["owner", "team", "unknown"] = "unknown"
    auth_methods: Literal["all_kept", "limited", "unknown"] = "unknown"
    bearer_seen_by: Literal["vendor", "proxy", "unknown"] = "unknown"
    client_secret: YesNo = "unknown"  # noqa: S105 - a word about secrets
    given_to: Literal["owner", "others", "unknown"] = "unknown"
    local_api: YesNo = "unknown"
    output_reviewed: YesNo = "unknown"
    pack_state: PackState = "unknown"
    reachable_by: ReachableBy = "unknown"
    repository: Literal["none", "own", "other", "unknown"] = "unknown"
    sign_in: Literal["vendors", "tools", "unknown"] = "unknown"

    def named(self) -> dict[str, str | int | None]:
        """Every input by name."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class RecentActivity(NamedTuple):
    """A seat's recent runs, from the ledger: in progress, started in the last hour and day, and in how many hours of it.

    ``last_error`` is how the last run ended that was sent, at ``last_end`` (ISO 8601 UTC). ``overage_until`` is when the last
    report of extra, paid usage is out of date, in seconds since 1970.
    """

    at_once: int = 0
    last_hour: int = 0
    last_day: int = 0
    hours: int = 0
    last_error: str | None = None
    last_end: str | None = None
    overage_until: float | None = None
