"""Attempts in virtual time: how long is waited, what bounds it, and what the receipt says of all of them together."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import pytest

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import (
    Event,
    ModelFallback,
    Retry,
    TextDelta,
    ToolCall,
    TurnEnded,
    UsageSeen,
    WalletVerified,
)
from oneseat.contract.receipt import RunResult, TokenUsage
from oneseat.contract.request import McpServer, Request
from oneseat.testing.virtual_time import elapse, run_virtual

from .scripted import (
    ON_A_KEY,
    USED,
    Memory,
    Script,
    ScriptedProvider,
    Silence,
    answer,
    failure,
    on_plan,
    scripted_app,
    started,
)

OVERLOADED = Script(failure("provider.overloaded"))
OK = Script(answer())


OVERTAKEN = Script(answer(), overtaken="/etc/claude-code/managed-settings.json")


class Ran(NamedTuple):
    """One run, when its processes were started, and what the ledger holds."""

    result: RunResult
    provider: ScriptedProvider
    events: list[Event]

    @property
    def code(self) -> str | None:
        return self.result.error.code if self.result.error is not None else None


def ran(
    *scripts: Script,
    fallback: str | None = None,
    timeout_s: float | None = None,
    servers: tuple[McpServer, ...] = (),
    model: str | None = None,
    budget_usd: float | None = None,
    **timeouts: float,
) -> Ran:
    async def work() -> Ran:
        provider, memory = ScriptedProvider(scripts), Memory()
        request = Request(
            prompt="p",
            cwd="/",
            model=model,
            fallback_model=fallback,
            timeout_s=timeout_s,
            mcp_servers=servers,
            max_budget_usd=budget_usd,
        )
        result = await scripted_app(provider, memory, **timeouts).run(request)
        assert memory.results == [result]
        return Ran(result, provider, memory.events)

    return run_virtual(work())


def test_pauses_grow_and_each_attempt_is_asked_who_pays() -> None:
    run = ran(OVERLOADED, OVERLOADED, OK)
    assert (run.code, run.result.text, run.result.receipt.attempts) == (None, "ok", 3)
    assert run.provider.opened_at == [0.0, 1.0, 3.0]
    assert [type(event) for event in run.events if isinstance(event, Retry | WalletVerified)] == [
        WalletVerified,
        Retry,
        WalletVerified,
        Retry,
        WalletVerified,
    ]
    assert run.result.receipt.duration_ms == 3000


def costing(input_tokens: int) -> Script:
    """An attempt that is overloaded after so many tokens were sent to it."""
    error = ErrorInfo(code="provider.overloaded", message="it failed")
    seen = UsageSeen(message_id="m", usage=TokenUsage(input_tokens=input_tokens), model="claude-sonnet-5")
    return Script((started(), seen, TurnEnded(text="", error=error)))


def test_all_attempts_are_paid_from_one_budget() -> None:
    # $0.02 each, as far as they came; with the second one, the budget is reached.
    run = ran(costing(10_000), model="claude-sonnet-5", budget_usd=0.04)
    assert (run.code, len(run.provider.opened_at)) == ("budget.reached", 2)
    assert run.result.receipt.equivalent_cost_usd == pytest.approx(0.04)
    assert run.result.receipt.cost_source == "price_table"


def test_a_repetition_whose_price_nobody_knows_leaves_the_first_failure() -> None:
    run = ran(costing(10_000), model="claude-sonnet-5", budget_usd=1.0, fallback="claude-sonnet-99")
    assert (run.code, len(run.provider.opened_at)) == ("provider.overloaded", 2)
    assert run.result.error is not None
    assert "`claude-sonnet-99`" in run.result.error.message


def test_the_provider_is_waited_for_as_long_as_it_asked() -> None:
    limited = Script(
        (
            started(),
            Retry(attempt=1, max_attempts=2, delay_s=7.5, status=429, cause="rate_limit"),
            *failure("limit.rate_limited")[1:],
        )
    )
    assert ran(limited, OK).provider.opened_at == [0.0, 8.5]
    assert ran(Script(failure("limit.five_hour", wait=40.0)), OK).provider.opened_at == [0.0, 41.0]


def test_the_time_of_a_run_covers_its_attempts_and_its_pauses() -> None:
    slow = Script((Silence(50), *failure("provider.overloaded")))
    # The second attempt is still silent when the time of the run is up.
    run = ran(slow, timeout_s=80)
    assert (run.code, run.result.receipt.attempts) == ("timeout.total", 2)
    assert 80_000 <= run.result.receipt.duration_ms <= 82_000
    # A pause that would outlast the run is not begun: what went wrong is said, and at once.
    run = ran(Script((Silence(9.5), *failure("limit.five_hour", wait=40.0))), timeout_s=30)
    assert (run.code, run.result.receipt.duration_ms) == ("limit.five_hour", 9500)


def test_a_silent_start_is_tried_again_once_and_watched_like_the_first() -> None:
    silent = Script(facts=Silence(1000))
    run = ran(silent, start=30)
    assert (run.code, run.result.receipt.attempts, run.result.receipt.verdict) == (
        "stall.start",
        0,
        "nothing_sent",
    )
    assert len(run.provider.opened_at) == 2
    assert ran(silent, OK, start=30).code is None


def test_cancelling_a_pause_ends_the_run_at_once() -> None:
    async def work() -> tuple[RunResult | None, float, int]:
        provider, memory = ScriptedProvider([Script(failure("limit.five_hour", wait=50.0))]), Memory()
        stream = scripted_app(provider, memory).stream(Request(prompt="p", cwd="/"))

        async def read() -> None:
            async with stream:
                async for _ in stream:
                    pass

        reading = asyncio.ensure_future(read())
        await elapse(10)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        return stream.result, asyncio.get_running_loop().time(), len(provider.opened_at)

    result, ended_at, starts = run_virtual(work())
    assert result is not None
    assert result.error is not None
    assert (result.status, result.error.code, ended_at, starts) == ("cancelled", "cancelled", 10.0, 1)


def test_usage_and_cost_are_those_of_all_attempts() -> None:
    empty = Script(answer(""))
    receipt = ran(empty, OK).result.receipt
    assert receipt.usage == TokenUsage(20, 10, 0, 0, 0)
    assert (receipt.equivalent_cost_usd, receipt.cost_usd, receipt.verdict) == (0.5, 0.0, "verified")


def test_what_one_attempt_used_and_nobody_knows_is_unknown_in_the_sum() -> None:
    crashes = Script((started(), TextDelta(text="half")))
    receipt = ran(crashes, OK).result.receipt
    assert receipt.attempts == 2
    assert receipt.usage == TokenUsage()
    assert (receipt.equivalent_cost_usd, receipt.cost_source) == (None, "unknown")
    # Nobody said from which wallet the one that died was paid, although the other one is proved.
    assert (receipt.verdict, receipt.cost_usd) == ("unverified", None)


def test_an_attempt_that_used_nothing_takes_nothing_from_the_proof() -> None:
    receipt = ran(OVERLOADED, OK).result.receipt
    assert (receipt.verdict, receipt.cost_usd, receipt.usage) == ("verified", 0.0, USED)


def test_the_text_of_a_failed_attempt_is_not_part_of_the_answer() -> None:
    assert ran(Script(failure("provider.connection_lost", text="half")), OK).result.text == "ok"


def test_the_text_of_a_failed_attempt_is_kept_when_no_later_one_gives_any() -> None:
    run = ran(Script(failure("provider.connection_lost", text="half")), OVERLOADED)
    assert (run.code, run.result.text, run.result.receipt.attempts) == ("provider.overloaded", "half", 3)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((started("ANTHROPIC_API_KEY"),), "billing.misbilled"),
        ((started(), on_plan(overage=True)), "billing.overage"),
    ],
)
def test_another_wallet_in_any_attempt_ends_everything(steps: tuple[Event, ...], code: str) -> None:
    run = ran(OVERLOADED, Script(steps), OK)
    assert (run.code, run.result.receipt.attempts, run.result.receipt.verdict) == (code, 2, "misbilled")
    assert len(run.provider.opened_at) == 2


def test_a_second_attempt_that_would_be_paid_otherwise_is_not_sent() -> None:
    run = ran(OVERLOADED, Script(facts=ON_A_KEY))
    # Something was sent: the run failed and was not refused.
    assert (run.result.status, run.code, run.result.receipt.attempts) == ("failed", "provider.overloaded", 1)
    assert run.result.error is not None
    assert "not retried" in run.result.error.message
    assert "ANTHROPIC_API_KEY" in run.result.error.message
    assert run.result.receipt.verdict == "unverified"


def test_a_first_attempt_that_was_never_sent_leaves_a_refusal_a_refusal() -> None:
    died = Script(facts=ErrorInfo(code="provider.crashed", message="it died"))
    run = ran(died, Script(facts=ON_A_KEY))
    assert (run.result.status, run.code, run.result.receipt.attempts) == (
        "refused",
        "billing.api_key_wins",
        0,
    )
    assert run.result.receipt.verdict == "nothing_sent"


def test_an_attempt_that_died_with_tools_may_have_acted() -> None:
    dies = Script((started(tools=("Bash",)), TextDelta(text="half")))
    run = ran(dies, OK)
    assert (run.code, run.result.receipt.attempts) == ("provider.crashed", 1)
    call = ToolCall(id="t", name="Bash", input={})
    assert (
        ran(Script((started(), call, *failure("provider.overloaded")[1:])), OK).result.receipt.attempts == 1
    )
    # Not even its start was heard: then what the request allowed counts.
    assert ran(Script(()), OK, servers=(McpServer(name="db", command="db"),)).result.receipt.attempts == 1
    structured = ToolCall(id="t", name="StructuredOutput", input={})
    tools = ("StructuredOutput",)
    gave_its_answer = Script((started(tools=tools), structured, *failure("provider.overloaded")[1:]))
    assert ran(gave_its_answer, OK).result.receipt.attempts == 2


def test_the_named_model_answers_once_and_the_receipt_says_so() -> None:
    run = ran(OVERLOADED, OK, fallback="haiku")
    assert (run.code, run.provider.models, run.provider.opened_at) == (None, [None, "haiku"], [0.0, 0.0])
    assert [event for event in run.events if isinstance(event, ModelFallback)] == [
        ModelFallback(model="sonnet", fallback="haiku", cause="provider.overloaded", by="oneseat")
    ]
    said = [(it.what, it.value) for it in run.result.receipt.evidence]
    assert ("model_fallback", "haiku") in said
    assert ran(OVERLOADED, fallback="haiku").provider.models == [None, "haiku", "haiku", "haiku"]


def test_what_changed_after_the_gate_is_asked_about_anew() -> None:
    """With another process, as that one may have kept what is gone by now."""
    done = ran(OVERTAKEN, OK)
    assert (done.result.status, done.result.receipt.attempts) == ("completed", 1)
    assert [event.cause for event in done.events if isinstance(event, Retry)] == ["billing.settings_changed"]
    assert len(done.provider.opened_at) == 2


def test_what_changes_again_and_again_is_refused() -> None:
    done = ran(OVERTAKEN)
    assert (done.code, done.result.receipt.verdict) == ("billing.settings_changed", "nothing_sent")
    assert (
        "`/etc/claude-code/managed-settings.json`"
        in (done.result.error or ErrorInfo(code="", message="")).message
    )
    assert len(done.provider.opened_at) == 3


def test_another_model_is_named_once_and_after_the_text_the_answer_goes_on() -> None:
    model = "claude-opus-5-5"
    begun = UsageSeen(message_id="1", usage=USED, model=model)
    done = ran(
        Script((started(), TextDelta(text="ok"), begun, begun, TurnEnded(text="ok", usage=USED, model=model)))
    )
    (said,) = [event for event in done.events if isinstance(event, ModelFallback)]
    assert (said.model, said.fallback, said.cause, said.by) == (
        "sonnet",
        "claude-opus-5-5",
        "not_requested",
        "provider",
    )
    assert (done.result.receipt.model, done.result.receipt.requested_model) == ("claude-opus-5-5", "sonnet")
    assert done.result.text == "ok"


def test_the_model_of_a_fallback_is_the_one_that_was_asked_for_then() -> None:
    done = ran(OVERLOADED, Script(answer(model="claude-opus-5-5")), fallback="opus")
    assert [event.cause for event in done.events if isinstance(event, ModelFallback)] == [
        "provider.overloaded"
    ]
    assert done.result.receipt.requested_model == "sonnet"


def test_a_subagent_may_use_another_model() -> None:
    usage = UsageSeen(message_id="1", usage=USED, model="claude-haiku-4-5", subagent="toolu_1")
    done = ran(Script((started(), usage, *answer(model="claude-sonnet-5")[1:])))
    assert not [event for event in done.events if isinstance(event, ModelFallback)]
