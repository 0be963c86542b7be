"""What the engine asks the policy with, and what becomes of the answer."""

from __future__ import annotations

import msgspec

from oneseat.contract.facts import Account, CredentialFacts
from oneseat.contract.policy import RecentActivity
from oneseat.contract.request import Purpose, Request

from .scripted import Memory, Script, ScriptedProvider, answer, scripted_app

HELLO = Request(prompt="hello", cwd="/")


class Busy(Memory):
    """A ledger of a seat that was asked for a lot."""

    async def recent_activity(self, provider: str, now: float, *, simulated: bool) -> RecentActivity:
        return RecentActivity(at_once=100, last_hour=1000)


async def test_more_than_ordinary_use_waits_for_the_owners_word() -> None:
    provider, memory = ScriptedProvider([Script(answer())]), Busy()
    result = await scripted_app(provider, memory).run(HELLO)
    assert result.error is not None
    assert result.error.code == "policy.grey"
    assert "volume = heavy_fanout" in result.error.message
    assert provider.opened_at == []
    stamp, inputs = memory.decisions[-1]
    assert (stamp.tier, stamp.rule, inputs.volume) == ("GREY", "Y3", "heavy_fanout")


async def test_a_simulated_run_uses_nothing_up() -> None:
    account = Account(token_source="CLAUDE_CODE_OAUTH_TOKEN", api_provider="firstParty")
    facts = CredentialFacts(account=account, simulated=True)
    provider = ScriptedProvider([Script(answer(), facts=facts)])
    provider.wallet = "simulator"
    result = await scripted_app(provider, Busy()).run(HELLO)
    assert result.error is None


async def test_what_the_gate_finds_out_is_decided_on_and_noted() -> None:
    memory = Memory()
    app = scripted_app(ScriptedProvider([Script(answer())]), memory)
    result = await app.run(HELLO)
    assert result.receipt.policy is not None
    assert result.receipt.policy.rule == "Y1"
    assert [(stamp.rule, inputs.plan) for stamp, inputs in memory.decisions] == [
        ("G1", "unknown"),
        ("Y1", "paid_unnamed"),
    ]


async def test_a_plan_that_may_not_serve_is_refused_at_the_gate_before_anything_is_sent() -> None:
    team = CredentialFacts(account=Account(subscription="Claude Team", api_provider="firstParty"))
    personal = CredentialFacts(account=Account(subscription="Claude Max", api_provider="firstParty"))
    request = msgspec.structs.replace(HELLO, purpose=Purpose(work_owner="employer"))
    for facts, code in ((team, None), (personal, "policy.grey")):
        memory = Memory()
        memory.plan = "team_seat"
        app = scripted_app(ScriptedProvider([Script(answer(), facts=facts)]), memory)
        result = await app.run(request)
        assert (result.error and result.error.code) == code
        if code is not None:
            assert (result.receipt.verdict, result.receipt.attempts) == ("nothing_sent", 0)
