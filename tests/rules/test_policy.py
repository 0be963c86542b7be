"""Who may use the seat, for whom: every rule of the bundled pack, at its boundaries, and what no rule may ever allow."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import exit_code
from oneseat.contract.facts import Account, CredentialFacts
from oneseat.contract.policy import Author, Exposure, PolicyInputs, Reader, RecentActivity, WorkOwner
from oneseat.contract.policy_pack import Pack
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Entry, ProjectUse, Purpose
from oneseat.contract.stations import Permitted, Refused
from oneseat.rules.policy import decide as policy
from oneseat.rules.policy.decide import confirm, decide, judge, refusal
from oneseat.rules.policy.inputs import PolicyEnvironment, inputs_of
from oneseat.rules.policy.packs import vocabulary
from oneseat.stores.policy.pack import bundled_pack

from .policies import DAY, own, request, rule, view, with_rules, word

TOKEN = CredentialFacts(account=Account(token_source="CLAUDE_CODE_OAUTH_TOKEN", api_provider="firstParty"))

#: Each rule with inputs on both sides of every boundary it has: what is changed of the owner's own, the tier, the rule.
ROWS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "GREEN", "G1"),
    ({"request_author": "owner_automation"}, "GREEN", "G1"),
    ({"plan": "pro"}, "GREEN", "G1"),
    ({"plan": "ultra"}, "GREEN", "G1"),
    ({"volume": "interactive"}, "GREEN", "G1"),
    ({"exposure": "unix_socket"}, "GREEN", "G1"),
    ({"exposure": "loopback"}, "GREEN", "G1"),
    ({"harness": "official_sdk_with_cli"}, "GREEN", "G1"),
    ({"overage_state": "off"}, "GREEN", "G1"),
    ({"overage_state": "on"}, "GREEN", "G1"),
    ({"pack_state": "review_due"}, "GREEN", "G1"),
    ({"request_author": "other_human"}, "RED", "R1"),
    ({"request_author": "anonymous"}, "RED", "R1"),
    ({"distinct_humans": 2}, "RED", "R1"),
    ({"distinct_humans": None}, "GREY", "Y13"),
    ({"exposure": "public"}, "RED", "R2"),
    ({"exposure": "lan", "reachable_by": "others"}, "RED", "R2"),
    ({"exposure": "vpn", "reachable_by": "others"}, "RED", "R2"),
    ({"exposure": "lan", "reachable_by": "owner"}, "GREY", "Y13"),
    ({"output_consumer": "customers"}, "RED", "R3"),
    ({"output_consumer": "third_party_direct"}, "RED", "R3"),
    ({"token_handling": "shared"}, "RED", "R4"),
    ({"token_handling": "embedded"}, "RED", "R4"),
    ({"token_handling": "stored_by_tool", "given_to": "others"}, "RED", "R5"),
    ({"harness": "third_party_spoof"}, "RED", "R6"),
    ({"harness": "raw_http_with_oauth"}, "RED", "R6"),
    ({"harness": "modified_binary"}, "RED", "R7"),
    ({"auth_methods": "limited"}, "RED", "R7"),
    ({"sign_in": "tools"}, "RED", "R8"),
    ({"account_use": "pooled"}, "RED", "R9"),
    ({"account_use": "resold"}, "RED", "R9"),
    ({"account_use": "rotating"}, "RED", "R9"),
    ({"account_state": "on_hold"}, "RED", "R10"),
    ({"account_state": "verification_required"}, "RED", "R10"),
    ({"plan": "free"}, "RED", "R11"),
    ({"plan": "none"}, "RED", "R11"),
    ({"plan": "api"}, "RED", "R11"),
    ({"plan": "unknown"}, "GREY", "Y13"),
    ({"token_handling": "env_setup_token_by_owner"}, "GREEN", "Y1"),
    ({"token_handling": "env_setup_token_by_owner", "plan": "paid_unnamed"}, "GREEN", "Y1"),
    ({"token_handling": "env_setup_token_by_owner", "host": "owner_vps"}, "GREY", "Y6"),
    ({"token_handling": "stored_by_tool"}, "GREY", "Y2"),
    ({"token_handling": "injected_by_tool"}, "GREY", "Y2"),
    ({"volume": "heavy_fanout"}, "GREY", "Y3"),
    ({"volume": "continuous_24x7"}, "GREY", "Y3"),
    ({"accounts_in_use": 2}, "GREY", "Y4"),
    ({"accounts_in_use": None}, "GREY", "Y13"),
    ({"work_owner": "employer"}, "GREY", "Y5"),
    ({"work_owner": "client"}, "GREY", "Y5"),
    ({"work_owner": "client", "plan": "team_seat"}, "GREY", "Y5"),
    ({"host": "owner_vps"}, "GREY", "Y6"),
    ({"host": "rented_runner"}, "GREY", "Y7"),
    ({"host": "customer_machine"}, "GREY", "Y7"),
    (
        {
            "host": "rented_runner",
            "harness": "official_action",
            "repository": "own",
            "token_handling": "env_setup_token_by_owner",
        },
        "GREEN",
        "Y7.green",
    ),
    (
        {
            "host": "rented_runner",
            "harness": "official_action",
            "repository": "other",
            "token_handling": "env_setup_token_by_owner",
        },
        "GREY",
        "Y7",
    ),
    ({"automation_of": "team"}, "RED", "Y8"),
    ({"token_handling": "shared", "repository": "own"}, "RED", "Y8"),
    ({"output_consumer": "owner_publishes"}, "GREY", "Y9"),
    ({"output_consumer": "owner_publishes", "output_reviewed": "unknown"}, "GREY", "Y9"),
    ({"output_consumer": "owner_publishes", "output_reviewed": "yes"}, "GREEN", "Y9.green"),
    ({"endpoint_override": "gateway"}, "GREY", "Y10"),
    ({"endpoint_override": "logging_proxy"}, "GREY", "Y10"),
    ({"endpoint_override": "gateway", "bearer_seen_by": "proxy"}, "RED", "Y10.red"),
    ({"local_api": "yes"}, "GREY", "Y11"),
    ({"exposure": "loopback", "client_secret": "no"}, "GREY", "Y11"),
    ({"exposure": "loopback", "client_secret": "unknown"}, "GREY", "Y11"),
    ({"overage_state": "in_use"}, "GREY", "Y12"),
    ({"overage_state": "unknown"}, "GREY", "Y12"),
    ({"draws_from": "agent_sdk_credit"}, "GREY", "Y13"),
    ({"draws_from": "unknown"}, "GREY", "Y13"),
    ({"work_owner": "other"}, "GREY", "Y13"),
    ({"pack_state": "hard_stale"}, "GREY", "Y14"),
    ({"plan": "team_seat"}, "GREEN", "T1"),
    ({"plan": "ent_seat", "work_owner": "employer"}, "GREEN", "T1"),
    ({"plan": "team_seat", "distinct_humans": 2}, "RED", "T2"),
    ({"plan": "ent_seat", "distinct_humans": 5}, "RED", "T2"),
    ({"plan": "ent_usage"}, "RED", "T3"),
    # RED wins over GREY and GREY over GREEN, whatever the order of the inputs.
    ({"request_author": "unknown", "output_consumer": "customers", "work_owner": "employer"}, "RED", "R3"),
    ({"request_author": "unknown", "work_owner": "client"}, "GREY", "Y5"),
]


@pytest.mark.parametrize(("changed", "tier", "name"), ROWS, ids=lambda value: str(value)[:60])
def test_the_rule_that_decides(changed: dict[str, Any], tier: str, name: str) -> None:
    decision = judge(own(**changed), view())
    assert (decision.rule.tier, decision.rule.id) == (tier, name)


def test_every_rule_of_the_pack_has_a_row() -> None:
    assert {name for _, _, name in ROWS} == {each.id for each in bundled_pack().rules}


def test_every_word_that_a_rule_asks_for_has_a_row() -> None:
    """A boundary nobody tries could move without anybody noticing."""
    tried = {(field, value) for changed, _, _ in ROWS for field, value in changed.items()}
    asked = {
        (condition.field, value)
        for each in bundled_pack().rules
        if each.tier != "GREEN"
        for group in each.when
        for condition in group
        for value in (condition.value if isinstance(condition.value, tuple) else (condition.value,))
        if isinstance(value, str)
    }
    # What the owner's own request has anyway, and what only ever makes a rule narrower.
    usual = {(name, value) for name, value in own().named().items()}
    assert asked - tried - usual - {("endpoint_override", "other"), ("repository", "none")} <= {
        ("repository", "unknown"),
        ("output_reviewed", "no"),
        ("harness", "official_cli_unmodified"),
    }


WORDS: dict[str, tuple[Any, ...]] = {
    name: vocabulary(name) or (None, 1, 2)  # type: ignore[arg-type]
    for name in get_type_hints(PolicyInputs)
}
ANY_INPUTS = st.builds(PolicyInputs, **{name: st.sampled_from(words) for name, words in WORDS.items()})
NEARLY_OWN = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(words) for name, words in WORDS.items()}
).map(lambda changed: own(**changed))


def never_green(inputs: PolicyInputs) -> bool:
    """Another human, a public way in, a login that is shared, or something that nobody knows."""
    return (
        inputs.request_author not in {"owner", "owner_automation"}
        or inputs.output_consumer not in {"owner", "owner_publishes"}
        or inputs.distinct_humans != 1
        or inputs.exposure in {"public", "lan", "vpn"}
        or inputs.token_handling in {"shared", "embedded", "stored_by_tool", "injected_by_tool"}
        or None in inputs.named().values()
        or "unknown" in inputs.named().values()
    )


@given(st.one_of(ANY_INPUTS, NEARLY_OWN))
def test_no_other_human_public_way_in_or_shared_token_is_ever_green(inputs: PolicyInputs) -> None:
    assert not never_green(inputs) or judge(inputs, view()).rule.tier != "GREEN"


@pytest.mark.parametrize("name", sorted(WORDS))
def test_whatever_is_not_known_is_not_green(name: str) -> None:
    unknown = None if vocabulary(name) is None else "unknown"  # type: ignore[arg-type]
    decision = judge(own(**{name: unknown}), view())
    assert decision.rule.tier == "GREY"
    assert name in decision.because


def test_only_the_owners_own_work_is_green() -> None:
    purposes = (
        Purpose(author=author, reader=reader, work_owner=owner)
        for author, reader, owner in product(get_args(Author), get_args(Reader), get_args(WorkOwner))
    )
    green = {purpose for purpose in purposes if decided(purpose).policy == GREEN}
    assert green == {Purpose(), Purpose(author="owner_automation")}


GREEN = PolicyStamp("GREEN", "G1", "2026.11.20")


def decided(purpose: Purpose, pack: Pack | None = None, **fields: Any) -> Permitted | Refused:
    return decide(request(purpose), view(pack, **fields))


def test_a_red_refusal_explains_itself() -> None:
    decision = decided(Purpose(author="other_human"))
    assert isinstance(decision, Permitted)
    # Somebody else's request on the owner's key is for the owner to decide; the plan it never touches.
    assert decision.paid_from == {"api_key", "api_credits"}
    error = refusal(decision)
    assert error is not None
    assert (error.code, exit_code(error.code)) == ("policy.red", 3)
    assert error.message == (
        "The plan may not serve this request: `request_author = other_human`\n"
        "  rule R1: a personal account is not to be made available to anybody else\n"
        "  https://www.anthropic.com/legal/consumer-terms, read 2026-10-09; pack 2026.11.20"
    )


def test_what_the_tool_itself_must_not_do_is_refused_outright() -> None:
    stricter = with_rules(msgspec.structs.replace(rule("R1"), action="refuse"))
    decision = decided(Purpose(author="other_human"), stricter)
    assert isinstance(decision, Refused)
    assert decision.error.code == "policy.red"
    assert decision.inputs is not None
    assert decision.inputs.request_author == "other_human"


def test_a_grey_refusal_names_the_command_that_confirms() -> None:
    decision = decide(
        request(Purpose(work_owner="client"), project=ProjectUse(name="shop"), client="acme"), view()
    )
    assert isinstance(decision, Permitted)
    assert decision.paid_from == {"api_key", "api_credits"}
    error = refusal(decision)
    assert error is not None
    assert (error.code, exit_code(error.code)) == ("policy.grey", 3)
    assert error.hint is not None
    assert "`oneseat policy confirm Y5 work_owner=client --project shop --client acme`" in error.hint


def test_another_pack_is_another_table() -> None:
    stricter = with_rules(
        msgspec.structs.replace(
            rule("R1"),
            id="R0",
            priority=1,
            when=((msgspec.structs.replace(rule("R1").when[0][0], value=("owner_automation",)),),),
        )
    )
    assert decided(Purpose(author="owner_automation"), stricter).policy == PolicyStamp(
        "RED", "R0", "2026.11.20"
    )
    assert decided(Purpose(), stricter).policy == GREEN


def test_a_confirmed_class_may_use_the_plan_and_no_other_class() -> None:
    said = word("Y5", {"work_owner": "client"}, client="acme")
    looking = view(confirmations=(said,))
    purpose = Purpose(work_owner="client")
    assert decide(request(purpose, client="acme"), looking).policy == PolicyStamp(
        "GREY", "Y5", "2026.11.20", said.at
    )
    confirmed = decide(request(purpose, client="acme"), looking)
    assert isinstance(confirmed, Permitted)
    assert "plan" in confirmed.paid_from
    # The gate learns the plan's name, and the owner's word holds there too.
    after = confirm(confirmed, TOKEN, looking)
    assert isinstance(after, Permitted)
    assert after.policy == confirmed.policy
    others = [
        request(purpose),
        request(purpose, client="other"),
        request(purpose, client="acme", project=ProjectUse(name="shop")),
        request(Purpose(work_owner="employer"), client="acme"),
        request(Purpose(work_owner="client", author="unknown"), client="acme"),
        request(Purpose(work_owner="client", author="other_human"), client="acme"),
    ]
    for other in others:
        decision = decide(other, looking)
        assert isinstance(decision, Permitted)
        assert refusal(decision) is not None, other


def test_each_doubt_needs_a_word_of_its_own() -> None:
    purpose = Purpose(work_owner="employer", reader="owner_publishes")
    one, other = (
        word("Y5", {"work_owner": "employer"}),
        word("Y9", {"output_consumer": "owner_publishes", "output_reviewed": "no"}),
    )
    for said, rule_id in (((), "Y5"), ((one,), "Y9"), ((other,), "Y5")):
        decision = decide(request(purpose), view(confirmations=said))
        assert isinstance(decision, Permitted)
        assert decision.policy.rule == rule_id
        assert refusal(decision) is not None
    both = decide(request(purpose), view(confirmations=(one, other)))
    assert isinstance(both, Permitted)
    assert refusal(both) is None


def test_what_nobody_allows_can_be_confirmed_input_by_input() -> None:
    said = word("Y13", {"work_owner": "other"})
    looking = view(confirmations=(said,))
    confirmed = decide(request(Purpose(work_owner="other")), looking)
    assert isinstance(confirmed, Permitted)
    assert refusal(confirmed) is None
    unsure = decide(request(Purpose(work_owner="other", author="unknown")), looking)
    assert isinstance(unsure, Permitted)
    error = refusal(unsure)
    assert error is not None
    assert error.hint is not None
    assert "Y13 request_author=unknown`" in error.hint
    # A word that is not needed does not stand on the receipt.
    assert decide(request(), looking).policy == GREEN


def test_a_confirmation_counts_no_more_once_its_rule_has_changed() -> None:
    said = word("Y5", {"work_owner": "client"})
    changed = with_rules(msgspec.structs.replace(rule("Y5"), reason="the vendor has written about it"))
    decision = decide(request(Purpose(work_owner="client")), view(changed, confirmations=(said,)))
    assert isinstance(decision, Permitted)
    assert refusal(decision) is not None


def test_no_confirmation_helps_against_red() -> None:
    said = word("R1", {"request_author": "other_human"})
    decision = decided(Purpose(author="other_human"), confirmations=(said,))
    assert isinstance(decision, Permitted)
    assert refusal(decision) is not None


@pytest.mark.parametrize(
    ("subscription", "token_source", "expected"),
    [
        ("Claude Max", None, ("GREEN", "G1")),
        ("Claude Max 20x", None, ("GREEN", "G1")),
        ("Claude Pro", None, ("GREEN", "G1")),
        ("Claude Team", None, ("GREEN", "T1")),
        (None, "CLAUDE_CODE_OAUTH_TOKEN", ("GREEN", "Y1")),
        ("Claude Free", None, ("RED", "R11")),
        ("Claude Enterprise", None, ("GREY", "Y13")),
        (None, None, ("GREY", "Y13")),
    ],
)
def test_the_gate_decides_again_with_the_plan_it_sees(
    subscription: str | None, token_source: str | None, expected: tuple[str, str]
) -> None:
    before = decide(request(), view())
    assert isinstance(before, Permitted)
    assert before.policy == GREEN
    account = Account(subscription=subscription, token_source=token_source, api_provider="firstParty")
    after = confirm(before, CredentialFacts(account=account), view())
    assert after.policy is not None
    assert (after.policy.tier, after.policy.rule) == expected
    assert isinstance(after, Permitted) is (expected[0] == "GREEN")


def test_an_employers_work_needs_an_employers_seat_that_the_gate_then_sees() -> None:
    looking = view(environment=PolicyEnvironment(plan="team_seat"))
    before = decide(request(Purpose(work_owner="employer")), looking)
    assert isinstance(before, Permitted)
    assert (before.policy.tier, before.policy.rule) == ("GREEN", "T1")
    seat = confirm(before, CredentialFacts(account=Account(subscription="Claude Team")), looking)
    assert isinstance(seat, Permitted)
    personal = confirm(before, CredentialFacts(account=Account(subscription="Claude Max")), looking)
    assert isinstance(personal, Refused)
    assert personal.policy is not None
    assert (personal.policy.rule, personal.error.code) == ("Y5", "policy.grey")


@pytest.mark.parametrize(
    ("day", "tier", "rule_id", "state"),
    [
        ("2026-12-19", "GREEN", "G1", "fresh"),
        ("2026-12-20", "GREEN", "G1", "review_due"),
        ("2027-02-17", "GREEN", "G1", "review_due"),
        ("2027-02-18", "GREY", "Y14", "hard_stale"),
    ],
)
def test_an_old_pack_is_not_trusted_with_a_yes(day: str, tier: str, rule_id: str, state: str) -> None:
    decision = decided(Purpose(), day=day)
    assert isinstance(decision, Permitted)
    assert (decision.policy.tier, decision.policy.rule) == (tier, rule_id)
    assert decision.inputs is not None
    assert decision.inputs.pack_state == state


def test_an_old_pack_still_says_no() -> None:
    decision = decided(Purpose(author="other_human"), day="2030-01-01")
    assert decision.policy is not None
    assert decision.policy.rule == "R1"


def test_rules_begin_and_end_on_their_days() -> None:
    later = with_rules(
        msgspec.structs.replace(rule("Y4"), tier="RED", action="refuse", effective_from="2026-12-01")
    )
    two = own(accounts_in_use=2)
    assert judge(two, view(later, "2026-11-30")).rule.id == "Y13"
    assert judge(two, view(later, "2026-12-01")).rule.tier == "RED"
    ended = with_rules(msgspec.structs.replace(rule("R3"), effective_to="2026-12-01"))
    asked = own(output_consumer="customers")
    assert judge(asked, view(ended, "2026-11-30")).rule.id == "R3"
    assert judge(asked, view(ended, "2026-12-01")).rule.id == "Y13"


def test_a_split_of_the_plan_turns_headless_runs_grey_on_its_day() -> None:
    """The paused credit for programs: should it begin, no run goes to the plan as if nothing had happened."""
    pack = bundled_pack()
    routes = tuple(
        msgspec.structs.replace(each, effective_to="2026-12-01")
        if each.id == "route.claude_p.plan_login"
        else msgspec.structs.replace(each, status="active", effective_from="2026-12-01")
        if each.id == "route.claude_p.agent_sdk_credit"
        else each
        for each in pack.billing_routes
    )
    split = msgspec.structs.replace(pack, billing_routes=routes)
    assert decided(Purpose(), split, day="2026-11-30").policy == GREEN
    decision = decided(Purpose(), split, day="2026-12-01")
    assert isinstance(decision, Permitted)
    error = refusal(decision)
    assert error is not None
    assert "`draws_from = agent_sdk_credit`" in error.message


@pytest.mark.parametrize(
    ("recent_activity", "volume"),
    [
        (RecentActivity(at_once=32, last_hour=300), "scheduled_light"),
        (RecentActivity(at_once=33), "heavy_fanout"),
        (RecentActivity(last_hour=301), "heavy_fanout"),
        (RecentActivity(hours=20, last_day=199), "scheduled_light"),
        (RecentActivity(hours=19, last_day=2000), "scheduled_light"),
        (RecentActivity(hours=20, last_day=200), "continuous_24x7"),
    ],
)
def test_a_lot_begins_where_the_pack_says(recent_activity: RecentActivity, volume: str) -> None:
    inputs = inputs_of(request(), PolicyEnvironment(activity=recent_activity), bundled_pack(), DAY)
    assert inputs.volume == volume
    assert (
        inputs_of(request(entry=Entry(attended=True)), PolicyEnvironment(), bundled_pack(), DAY).volume
        == "interactive"
    )


def test_paid_usage_is_in_use_until_its_window_is_reset() -> None:
    def state(now: float) -> str:
        environment = PolicyEnvironment(activity=RecentActivity(overage_until=1000.0), now=now)
        return inputs_of(request(), environment, bundled_pack(), DAY).overage_state

    assert (state(999.0), state(1000.0)) == ("in_use", "stopped_when_seen")


def test_an_account_on_hold_is_left_alone_until_a_person_has_seen_to_it() -> None:
    held = RecentActivity(last_error="provider.account_on_hold", last_end="2026-11-21T09:00:00.000Z")
    environment = PolicyEnvironment(activity=held)
    decision = decided(Purpose(), environment=environment)
    assert isinstance(decision, Refused)
    assert decision.policy is not None
    assert decision.policy.rule == "R10"
    assert decision.error.hint is not None
    assert "`oneseat policy confirm R10 account_state=on_hold`" in decision.error.hint
    said = word("R10", {"account_state": "on_hold"})
    assert decided(Purpose(), environment=environment, confirmations=(said,)).policy == GREEN
    again = PolicyEnvironment(activity=held._replace(last_end="2026-11-21T11:00:00.000Z"))
    assert isinstance(decided(Purpose(), environment=again, confirmations=(said,)), Refused)


def test_the_way_in_and_the_people_are_part_of_it() -> None:
    ways: dict[Exposure, str] = {"unix_socket": "G1", "loopback": "Y11", "public": "R2"}
    for exposure, rule_id in ways.items():
        decision = decide(request(entry=Entry(exposure=exposure)), view())
        assert decision.policy is not None
        assert decision.policy.rule == rule_id
    several = decided(Purpose(), environment=PolicyEnvironment(humans=2))
    assert several.policy is not None
    assert several.policy.rule == "R1"


def test_the_seat_is_refused_where_there_is_nothing_else() -> None:
    assert isinstance(policy.for_seat(decided(Purpose())), Permitted)
    refused = policy.for_seat(decided(Purpose(work_owner="client")))
    assert isinstance(refused, Refused)
    assert refused.error.code == "policy.grey"
