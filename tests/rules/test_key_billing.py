"""The billing gate of API keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import KeyFacts
from oneseat.contract.receipt import PolicyStamp, Wallet
from oneseat.contract.request import Request
from oneseat.contract.stations import Cleared, Permitted, Refused
from oneseat.rules.billing import gate as billing
from oneseat.rules.billing.api_key import judge
from oneseat.rules.budgets.allocation import reserve

VENDOR = "https://api.openai.com/v1"
NO_KEY = ErrorInfo(code="provider.no_key", message="API key not found: `keys.work`")
PERMITTED = Permitted(request=Request(prompt="x", cwd="/"), policy=PolicyStamp("GREEN", "G1", "test"))
BUDGETED = reserve(PERMITTED, NO_BUDGET)


def facts(
    endpoint: str = VENDOR,
    problem: ErrorInfo | None = None,
    *,
    own_endpoint: bool = False,
    simulated: bool = False,
) -> KeyFacts:
    return KeyFacts(
        key="work",
        place="a test",
        endpoint=endpoint,
        problem=problem,
        own_endpoint=own_endpoint,
        simulated=simulated,
    )


def test_a_key_for_its_vendor_pays_and_the_evidence_names_it() -> None:
    wallet, evidence, error = judge(facts(), "api_key")
    assert (wallet, error) == ("api_key", None)
    assert {each.what: each.value for each in evidence} == {
        "key.name": "work",
        "key.place": "a test",
        "key.endpoint": VENDOR,
        "key.endpoint_of": "vendor",
    }


@pytest.mark.parametrize(
    ("given", "whose"),
    [
        (facts("http://127.0.0.1:11434/v1", own_endpoint=True), "settings"),
        (facts("https://gateway.example/openai/v1", own_endpoint=True), "settings"),
        (facts("http://localhost:8700/s/ok/v1", simulated=True), "simulator"),
    ],
)
def test_whose_address_it_is_stands_in_the_evidence(given: KeyFacts, whose: str) -> None:
    wallet, evidence, error = judge(given, "simulator" if given.simulated else "api_key")
    assert (evidence[-1].value, error) == (whose, None)
    assert wallet == ("simulator" if given.simulated else "api_key")


@pytest.mark.parametrize(
    "given",
    [
        facts(""),
        facts("http://gateway.example/v1", own_endpoint=True),
        facts("http://127.0.0.1.example/v1", own_endpoint=True),
        facts("http://127.0.0.1@gateway.example/v1", own_endpoint=True),
        facts("https://me:password@gateway.example/v1", own_endpoint=True),
        facts("https://gateway.example/v1?to=elsewhere", own_endpoint=True),
        facts("https://api.openai.com/v1", simulated=True),
    ],
)
def test_a_key_is_not_sent_where_others_can_read_it(given: KeyFacts) -> None:
    refused = billing.clear(BUDGETED, given, "simulator" if given.simulated else "api_key")
    assert isinstance(refused, Refused)
    assert refused.error.code == "billing.open_endpoint"


def test_a_problem_with_the_key_is_the_reason() -> None:
    refused = billing.clear(BUDGETED, facts(problem=NO_KEY), "api_key")
    assert isinstance(refused, Refused)
    assert refused.error == NO_KEY


@pytest.mark.parametrize("expected", ["plan", "simulator", "unknown", "cloud", "plan_overage"])
def test_a_key_never_stands_in_for_another_wallet(expected: Wallet) -> None:
    refused = billing.clear(BUDGETED, facts(), expected)
    assert isinstance(refused, Refused)
    assert refused.error.code == "billing.unknown_wallet"


@given(
    endpoint=st.one_of(
        st.just(VENDOR), st.from_regex(r"https?://[a-z0-9@:.\\[\\]-]{1,20}(/v1)?", fullmatch=True)
    ),
    problem=st.sampled_from([None, NO_KEY]),
    own_endpoint=st.booleans(),
    simulated=st.booleans(),
    expected=st.sampled_from(["api_key", "simulator", "plan"]),
)
def test_what_passes_is_whole(
    endpoint: str, problem: ErrorInfo | None, own_endpoint: bool, simulated: bool, expected: Wallet
) -> None:
    given_facts = facts(endpoint, problem, own_endpoint=own_endpoint, simulated=simulated)
    cleared = billing.clear(BUDGETED, given_facts, expected)
    if isinstance(cleared, Cleared):
        assert problem is None
        assert cleared.wallet == expected == ("simulator" if simulated else "api_key")
        assert "@" not in endpoint
        assert endpoint.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]"))
