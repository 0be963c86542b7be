"""Where the app-server does not start: one run of `codex exec`, with the same gate and a receipt that says so."""

from __future__ import annotations

import pytest

from oneseat.contract.events import ToolCall, ToolResult
from oneseat.contract.receipt import Evidence
from oneseat.contract.request import ProjectUse, Tools
from oneseat.testing import Answer, Text, ToolRound, ToolUse

from .conftest import PLAIN_MODEL, CodexSeat, of


@pytest.fixture
def broken(seat: CodexSeat) -> CodexSeat:
    """A seat whose account was seen on a plan, and whose CLI has lost its app-server since."""
    seat.settings("retry.max_attempts = 1")
    assert seat.run().status == "completed"
    script = seat.root / "codex"
    script.write_text(
        '#!/bin/sh\nif [ "$1" = app-server ]; then echo "no such command" >&2; exit 2; fi\n'
        f'exec {seat.env["ONESEAT_CODEX_PATH"]} "$@"\n'
    )
    script.chmod(0o755)
    seat.env["ONESEAT_CODEX_PATH"] = str(script)
    seat.simulator.clear()
    return seat


def test_it_answers_and_says_what_served_it(broken: CodexSeat) -> None:
    result = broken.run(broken.request("hello there", system="Be brief."))
    assert (result.status, result.text, result.receipt.wallet) == (
        "completed",
        "ok from the simulator",
        "simulator",
    )
    # Nothing tells who paid in the end: no windows are reported here.
    assert result.receipt.verdict == "unverified"
    assert (
        Evidence("codex.interface", "exec, because the app-server did not start: provider.crashed", "before")
        in result.receipt.evidence
    )
    (request,) = broken.simulator.messages("codex")
    assert request.simulator_token
    assert "hello there" in str(request.body["input"][-1])
    assert "Be brief." in str(request.body)
    assert result.receipt.usage.output_tokens == 4


def test_a_key_still_does_not_win(broken: CodexSeat) -> None:
    broken.env["CODEX_API_KEY"] = "sk-PLANTED"
    result = broken.run()
    assert result.status == "completed"
    assert all(request.simulator_token for request in broken.simulator.requests("codex"))
    login = broken.write_login(auth_mode="apikey", OPENAI_API_KEY="sk-PLANTED")
    result = broken.run()
    assert result.error is not None
    assert result.error.code == "billing.api_key_wins"
    assert (broken.folder / "auth.json").read_bytes() == login


def test_without_a_plan_that_was_seen_it_is_refused(broken: CodexSeat) -> None:
    for seen in (broken.root / "oneseat" / "state" / "codex-threads" / "plans").iterdir():
        seen.unlink()
    result = broken.run()
    assert result.error is not None
    assert (result.error.code, result.receipt.verdict) == ("billing.unknown_wallet", "nothing_sent")


def test_a_conversation_needs_the_app_server(broken: CodexSeat) -> None:
    result = broken.run(broken.request(project=ProjectUse(name="shop")))
    assert result.error is not None
    assert result.error.code == "provider.crashed"
    assert "no such command" in result.error.message


def test_tools_run_in_the_same_sandbox(broken: CodexSeat) -> None:
    outside = broken.root / "outside"
    use = ToolUse("Bash", {"command": f"touch {outside}; echo ran"})
    broken.simulator.script("call", [ToolRound(call=use, answer=Answer(content=(Text("done"),)))])
    broken.play("call")
    events, result = broken.told(broken.request(model=PLAIN_MODEL, tools=Tools(names=("Read",))))
    assert (result.text, outside.exists()) == ("done", False)
    (call,), (ended,) = of(ToolCall)(events), of(ToolResult)(events)
    assert (call.name, ended.id) == ("shell", call.id)
    assert "ran" in ended.text


@pytest.mark.parametrize(
    ("scenario", "code"), [("limit-five-hour", "limit.window_full"), ("empty", "incomplete.empty")]
)
def test_failures_have_their_names(broken: CodexSeat, scenario: str, code: str) -> None:
    broken.play(scenario)
    result = broken.run()
    assert result.error is not None
    assert result.error.code == code
