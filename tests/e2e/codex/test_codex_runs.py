"""Runs on the real `codex` CLI and the simulator: answers, receipts, conversations, tools, failures, ends."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from oneseat.app.providers import build_codex
from oneseat.app.wiring import opened_app
from oneseat.contract.events import (
    LimitSeen,
    Question,
    Retry,
    SessionRenewed,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolResult,
)
from oneseat.contract.request import Attachment, McpServer, Permission, ProjectUse, Tools
from oneseat.installation import Installation
from oneseat.testing import Answer, Text, ToolRound, ToolUse

from .conftest import PLAIN_MODEL, CodexSeat, of

SERVER = str(Path(__file__).parents[2] / "data" / "mcp_server.py")
#: A picture of one pixel: the CLI looks into what it sends.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


def test_an_answer_with_a_receipt_that_proves_the_plan(seat: CodexSeat) -> None:
    events, result = seat.told(seat.request(system="Be brief."))
    receipt = result.receipt
    assert (result.status, result.text) == ("completed", "ok from the simulator")
    assert (receipt.provider, receipt.wallet, receipt.verdict) == ("codex-cli", "simulator", "verified")
    assert (receipt.cli_version, receipt.model, receipt.attempts) == ("0.171.0", "gpt-6.2-sol", 1)
    assert (receipt.usage.input_tokens, receipt.usage.cache_read_tokens, receipt.usage.output_tokens) == (
        10,
        1000,
        4,
    )
    assert [(limit.window, limit.used) for limit in receipt.limits] == [
        ("five_hour", 0.12),
        ("seven_day", 0.34),
    ]
    assert "".join(event.text for event in of(TextDelta)(events)) == result.text
    (started,) = of(Started)(events)
    assert (started.provider, started.tools, started.api_key_source) == ("codex-cli", (), "none")
    (request,) = seat.simulator.messages("codex")
    assert request.simulator_token
    assert "Be brief." in str(request.body["input"])
    assert request.body_bytes < 30_000
    assert (seat.folder.stat().st_mode & 0o777, (seat.folder / "auth.json").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )


def test_only_the_simulator_is_asked_and_only_with_the_made_up_login(seat: CodexSeat) -> None:
    seat.run()
    asked = seat.simulator.requests("codex")
    assert {request.path for request in asked} <= {
        "/codex/v1/models",
        "/codex/v1/responses",
        "/backend-api/wham/accounts/check",
        "/backend-api/wham/rate-limit-reset-credits",
        "/backend-api/wham/settings/user",
        "/backend-api/wham/usage",
    }
    assert all(request.simulator_token and request.auth == ("bearer",) for request in asked)


def test_thinking_images_and_files_travel(seat: CodexSeat) -> None:
    seat.play("thinking")
    image = Attachment("dot.png", "image/png", base64.b64decode(DOT))
    notes = Attachment("notes.txt", "text/plain", b"the milk")
    events, result = seat.told(seat.request(attachments=(image, notes)))
    assert result.text == "thought it through"
    assert "".join(event.text for event in of(ThinkingDelta)(events)) == "let me think about it"
    (request,) = seat.simulator.messages("codex")
    assert "data:image/png;base64," in str(request.body["input"])
    assert "the milk" in str(request.body["input"])


def test_a_strict_schema_is_the_vendors_to_hold_and_any_other_is_asked_for(seat: CodexSeat) -> None:
    seat.play("structured")
    result = seat.run(seat.request(schema=SCHEMA))
    assert (result.status, result.structured) == ("completed", {"name": "text"})
    loose = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    seat.play('text:{"name": "loose"}')
    result = seat.run(seat.request(schema=loose))
    assert (result.status, result.structured) == ("completed", {"name": "loose"})
    strict, asked = seat.simulator.messages("codex")
    assert strict.body["text"]["format"]["schema"] == SCHEMA
    assert "format" not in asked.body["text"]
    assert "JSON Schema" in str(asked.body["input"][-1])


def test_a_project_goes_on_with_its_conversation_and_heals_when_it_is_lost(seat: CodexSeat) -> None:
    use = ProjectUse(name="shop")
    seat.play("echo")
    first = seat.run(seat.request("my name is Ada", project=use))
    second = seat.run(seat.request("what is my name", project=use))
    assert first.session is not None
    assert second.session is not None
    assert (second.session.id, second.session.message) == (first.session.id, 2)
    assert "my name is Ada" in str(seat.simulator.messages("codex")[-1].body["input"])
    for record in seat.folder.glob("sessions/*/*/*/*.jsonl"):
        record.unlink()
    events, third = seat.told(seat.request("and now", project=use))
    assert third.status == "completed"
    assert third.session is not None
    assert third.session.id != first.session.id
    (renewed,) = of(SessionRenewed)(events)
    assert (renewed.reason, renewed.carried) == ("lost", 2)


def test_three_messages_of_an_open_conversation_share_a_process(seat: CodexSeat) -> None:
    seat.play("echo")

    async def go() -> list[tuple[str, int]]:
        async with opened_app(Installation(seat.env, seat.cwd)) as app, app.conversation("codex-cli") as talk:
            said = []
            for prompt in ("one", "two", "three"):
                async with talk.stream(seat.request(prompt)) as run:
                    events = [event async for event in run]
                assert run.result is not None
                (started,) = of(Started)(events)
                said.append((run.result.text, started.session_id))
            return said

    said = asyncio.run(go())
    assert [text for text, _ in said] == ["one", "two", "three"]
    assert len({thread for _, thread in said}) == 1
    assert "one" in str(seat.simulator.messages("codex")[-1].body["input"])


def test_without_tools_no_command_runs_and_with_them_it_runs_in_its_sandbox(seat: CodexSeat) -> None:
    seat.play("tool-use")
    events, result = seat.told(seat.request(model=PLAIN_MODEL))
    assert (result.text, of(ToolCall)(events)) == ("the tool has run", [])
    assert "tool ran" not in seat.sent()[-1]
    events, result = seat.told(seat.request(model=PLAIN_MODEL, tools=Tools(names=("Read",))))
    (call,) = of(ToolCall)(events)
    (ended,) = of(ToolResult)(events)
    assert (call.name, ended.id, ended.text.strip(), ended.is_error) == (
        "shell",
        call.id,
        "tool ran",
        False,
    )
    assert result.status == "completed"


@pytest.mark.parametrize(
    ("tools", "written"),
    [
        (Tools(names=("Read",)), []),
        (Tools(names=("Read", "Edit"), mode="acceptEdits"), ["inside"]),
        (Tools(names=("Bash",), mode="bypassPermissions"), ["inside", "outside"]),
    ],
    ids=["read", "edit", "danger"],
)
def test_what_may_be_written(seat: CodexSeat, tools: Tools, written: list[str]) -> None:
    outside = seat.root / "outside"
    command = f"touch {seat.cwd}/inside; touch {outside}; env; true"
    call(seat, ToolUse("Bash", {"command": command}))
    seat.env["PLANTED_KEY"] = "PLANTED"
    events, result = seat.told(seat.request(model=PLAIN_MODEL, tools=tools))
    assert result.status == "completed", result.error
    there = [path.name for path in (seat.cwd / "inside", outside) if path.exists()]
    assert there == written
    (ended,) = of(ToolResult)(events)
    assert "ONESEAT_RUN_ID=" in ended.text
    assert "PLANTED" not in ended.text


def test_what_leaves_the_sandbox_is_asked(seat: CodexSeat) -> None:
    target = seat.root / "asked"
    request = {
        "cmd": f"touch {target}",
        "sandbox_permissions": "require_escalated",
        "justification": "to leave",
    }
    seat.simulator.script(
        "call", [ToolRound(call=ToolUse("exec_command", request), answer=Answer(content=(Text("done"),)))]
    )
    seat.play("call")
    asked: list[Question] = []

    def ask(question: Question) -> Permission:
        asked.append(question)
        return Permission(len(asked) > 1)

    wanted = seat.request(model=PLAIN_MODEL, tools=Tools(names=("Read",)))
    denied = seat.run(wanted, ask)
    assert (denied.status, denied.denials, target.exists()) == ("completed", ("shell",), False)
    allowed = seat.run(wanted, ask)
    assert (allowed.status, allowed.denials, target.exists()) == ("completed", (), True)
    assert all(question.tool == "shell" and "touch" in question.input["command"] for question in asked)


def test_the_servers_of_a_run_and_no_others(seat: CodexSeat) -> None:
    seat.folder.mkdir(parents=True)
    (seat.folder / "config.toml").write_text('[mcp_servers.foreign]\ncommand = "/bin/cat"\n')
    call(seat, ToolUse("mcp__db__echo", {"text": "hello"}))
    db = McpServer(name="db", command=sys.executable, args=(SERVER, "ok"))
    named = seat.request(model=PLAIN_MODEL, mcp_servers=(db,), tools=Tools(names=("mcp__db__echo",)))
    events, result = seat.told(named)
    (ended,) = of(ToolResult)(events)
    assert (result.status, ended.text) == ("completed", "echo hello []")
    assert of(Started)(events)[0].mcp_servers == ("db:connected",)
    tools = str([request.body.get("tools") for request in seat.simulator.messages("codex")])
    assert "mcp__db" in tools
    assert "foreign" not in tools
    asked = seat.run(seat.request(model=PLAIN_MODEL, mcp_servers=(db,)))
    assert (asked.status, asked.denials) == ("completed", ("mcp__db__echo",))


def test_a_server_that_does_not_come_ends_the_run_before_the_prompt(seat: CodexSeat) -> None:
    dead = McpServer(name="db", command=sys.executable, args=(SERVER, "dies"))
    result = seat.run(seat.request(mcp_servers=(dead,)))
    assert result.error is not None
    assert (result.error.code, result.receipt.verdict) == ("incomplete.servers_missing", "nothing_sent")
    missing = McpServer(name="db", command=sys.executable, args=(SERVER, "ok"))
    wanted = Tools(names=("mcp__db__no",), required=("mcp__db__no",))
    result = seat.run(seat.request(mcp_servers=(missing,), tools=wanted))
    assert result.error is not None
    assert result.error.code == "incomplete.tools_missing"
    assert seat.simulator.messages("codex") == []


#: The rest of them is part of the checks of every provider.
@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("limit-five-hour", "limit.five_hour"),
        ("limit-seven-day", "limit.seven_day"),
        ("unauthorized", "provider.auth_rejected"),
        ("context-window", "provider.context_overflow"),
    ],
)
def test_every_failure_has_its_name(seat: CodexSeat, scenario: str, code: str) -> None:
    seat.play(scenario)
    events, result = seat.told()
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", code)
    if code.startswith("limit."):
        assert result.error.retry_after_s is not None
        assert result.error.retry_after_s > 3600
        assert len(seat.simulator.messages("codex")) == 1
        full = [event.limit.window for event in of(LimitSeen)(events) if event.limit.status == "rejected"]
        assert full == [code.removeprefix("limit.")]


def test_an_empty_answer_is_none(seat: CodexSeat) -> None:
    seat.settings("retry.max_attempts = 1")
    seat.play("empty")
    result = seat.run()
    assert result.error is not None
    assert (result.error.code, result.text) == ("incomplete.empty", "")


def test_a_cut_answer_is_told_once(seat: CodexSeat) -> None:
    seat.play("eof-mid-stream-once")
    events, result = seat.told()
    assert (result.status, result.text) == ("completed", "ok from the simulator")
    assert of(Retry)(events)[0].by == "provider"


def test_a_silent_vendor_is_bounded_by_the_runs_own_time(seat: CodexSeat) -> None:
    seat.play("hang")
    result = seat.run(seat.request(timeout_s=1.5))
    assert result.error is not None
    assert result.error.code == "timeout.total"
    assert result.receipt.duration_ms < 6000


def test_a_network_that_is_down_is_said_at_once(seat: CodexSeat) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = "http://127.0.0.1:9"
    seat.settings("retry.max_attempts = 1")
    result = seat.run()
    assert result.error is not None
    assert (result.error.code, result.receipt.verdict) == ("provider.unreachable", "nothing_sent")


def test_leaving_a_run_ends_all_that_it_started(seat: CodexSeat) -> None:
    call(seat, ToolUse("Bash", {"command": "setsid sleep 300 & sleep 300"}))
    tools = Tools(names=("Bash",), mode="bypassPermissions")

    async def go() -> None:
        async with opened_app(Installation(seat.env, seat.cwd)) as app:
            async with app.stream(seat.request(model=PLAIN_MODEL, tools=tools)) as run:
                async for event in run:
                    if isinstance(event, ToolCall):
                        break
            assert run.result is not None
            assert run.result.status == "cancelled"

    asyncio.run(go())
    seat.assert_nothing_left()


def test_a_server_that_hides_ends_with_its_run(seat: CodexSeat) -> None:
    stubborn = McpServer(
        name="db", command=sys.executable, args=(SERVER, "stubborn"), env={"HID": str(seat.root)}
    )
    result = seat.run(seat.request(mcp_servers=(stubborn,)))
    assert result.status == "completed", result.error
    assert [pid for pid in psutil.pids() if str(seat.root) in variables_of(pid).get("HID", "")] == []


def variables_of(pid: int) -> dict[str, str]:
    try:
        return psutil.Process(pid).environ()
    except psutil.Error:
        return {}


def test_a_conversation_that_grew_too_large_is_not_resumed(seat: CodexSeat) -> None:
    seat.settings("session.max_bytes = 100000")
    use = ProjectUse(name="shop")
    seat.play("huge")
    seat.run(seat.request("much", project=use))
    seat.play("ok")
    events, result = seat.told(seat.request("more", project=use))
    assert result.status == "completed"
    assert [renewed.reason for renewed in of(SessionRenewed)(events)] == ["bytes"]


def call(seat: CodexSeat, use: ToolUse) -> None:
    """Have the model call a tool, then answer."""
    seat.simulator.script("call", [ToolRound(call=use, answer=Answer(content=(Text("done"),)))])
    seat.play("call")


def test_the_cli_is_not_left_to_repeat_what_cannot_pass(seat: CodexSeat) -> None:
    seat.play("forbidden")
    events, result = seat.told()
    assert result.error is not None
    assert result.error.code == "provider.auth_rejected"
    assert [retry.attempt for retry in of(Retry)(events)] == [1]
    assert len(seat.simulator.messages("codex")) <= 2


def test_a_login_that_is_about_to_be_renewed_is_started_alone(seat: CodexSeat) -> None:
    seat.run()
    stored = json.loads((seat.folder / "auth.json").read_text())
    # The CLI looks at this; the simulated login itself never ends.
    stored["last_refresh"] = (datetime.now(UTC) - timedelta(days=7)).isoformat()
    provider = build_codex(Installation(seat.env, seat.cwd))
    fresh = provider.login_expires_at(str(seat.cwd))
    assert fresh is not None
    assert fresh > time.time() + 6 * 86_400
    (seat.folder / "auth.json").write_text(json.dumps(stored))
    stale = provider.login_expires_at(str(seat.cwd))
    assert stale is not None
    assert stale < time.time() + 300
