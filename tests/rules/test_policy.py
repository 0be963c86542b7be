"""Who may use the seat, for whom: every purpose that can be stated gets one tier and one rule."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from oneseat.contract.errors import exit_code
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Author, Permitted, Purpose, Reader, Request, WorkOwner
from oneseat.rules.policy import RULES, PolicyView, Rule, decide

PACK = "2026.11.20"


def decided(purpose: Purpose, view: PolicyView | None = None) -> Permitted:
    decision = decide(Request(prompt="hi", cwd="/", purpose=purpose), view or PolicyView())
    assert isinstance(decision, Permitted)
    return decision


@pytest.mark.parametrize(
    ("purpose", "tier", "rule"),
    [
        (Purpose(), "GREEN", "G1"),
        (Purpose(author="owner_automation"), "GREEN", "G1"),
        (Purpose(author="other_human"), "RED", "R1"),
        (Purpose(author="anonymous"), "RED", "R1"),
        (Purpose(reader="customers"), "RED", "R3"),
        (Purpose(reader="third_party_direct"), "RED", "R3"),
        (Purpose(work_owner="employer"), "GREY", "Y5"),
        (Purpose(work_owner="client"), "GREY", "Y5"),
        (Purpose(reader="owner_publishes"), "GREY", "Y9"),
        (Purpose(author="unknown"), "GREY", "Y13"),
        (Purpose(reader="unknown"), "GREY", "Y13"),
        (Purpose(work_owner="unknown"), "GREY", "Y13"),
        (Purpose(work_owner="other"), "GREY", "Y13"),
        # RED wins over GREY, whatever the order of the inputs.
        (Purpose(author="unknown", reader="customers", work_owner="employer"), "RED", "R3"),
        (Purpose(author="unknown", work_owner="client"), "GREY", "Y5"),
    ],
)
def test_the_rule_that_decides(purpose: Purpose, tier: str, rule: str) -> None:
    decision = decided(purpose)
    assert decision.policy is not None
    assert (decision.policy.tier, decision.policy.rule, decision.policy.pack) == (tier, rule, PACK)
    assert ("plan" in decision.paid_from) is (tier == "GREEN")


def test_only_the_owners_own_work_is_green() -> None:
    purposes = (
        Purpose(author=author, reader=reader, work_owner=owner)
        for author, reader, owner in product(get_args(Author), get_args(Reader), get_args(WorkOwner))
    )
    green = {purpose for purpose in purposes if "plan" in decided(purpose).paid_from}
    assert green == {Purpose(), Purpose(author="owner_automation")}


def test_a_red_refusal_explains_itself() -> None:
    decision = decided(Purpose(author="other_human"))
    assert decision.objection is not None
    assert decision.objection.code == "policy.red"
    assert exit_code(decision.objection.code) == 3
    assert decision.objection.message == (
        "The plan may not serve this request: `author = other_human`\n"
        "  rule R1: a personal account is not to be made available to anybody else "
        "(https://www.anthropic.com/legal/consumer-terms, pack 2026.11.20)"
    )


def test_a_grey_refusal_says_that_it_cannot_be_confirmed_yet() -> None:
    decision = decided(Purpose(work_owner="employer"))
    assert decision.objection is not None
    assert decision.objection.code == "policy.grey"
    assert exit_code(decision.objection.code) == 3
    assert decision.objection.message.startswith(
        "It is not certain that the plan may serve this request: `work_owner = employer`\n  rule Y5: "
    )
    assert decision.objection.message.endswith("which this version cannot record yet")


def test_another_pack_is_another_table() -> None:
    stricter = Rule("R0", "RED", "author", frozenset({"owner_automation"}), "no automation", "a test")
    view = PolicyView(pack="2030.01.01", rules=(*RULES, stricter))
    assert decided(Purpose(author="owner_automation"), view).policy == PolicyStamp("RED", "R0", "2030.01.01")
    assert decided(Purpose(), view).policy == PolicyStamp("GREEN", "G1", "2030.01.01")
