"""Runs on an API key, from the command line and the library, with the real SDKs on the simulator."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oneseat import make_request
from oneseat.app.wiring import opened_app
from oneseat.contract.errors import UsageError, exit_code
from oneseat.contract.events import Event, TextDelta, ToolResult
from oneseat.contract.receipt import RunResult
from oneseat.installation import Installation
from oneseat.rules.inputs.functions import tool
from oneseat.testing import Answer, Failure, Simulator, Structured, Text, ToolRound, ToolUse, Usage

KEY = "sk-made-up-0123456789abcdefghijklmnop"
SETTINGS = """
[keys.claude]
provider = "anthropic"
env = "OWN_CLAUDE_KEY"

[keys.work]
provider = "openai"
env = "OWN_OPENAI_KEY"

[keys.google]
provider = "gemini"
file = "{home}/google-key"

[keys.local]
provider = "openai-compatible"
base_url = "http://127.0.0.1:11434/v1"
charges = false
"""
NAMES = ("claude", "work", "google", "local")
PATHS = {
    "claude": "/v1/messages",
    "work": "/v1/responses",
    "google": "/v1beta/models/made-up-1:streamGenerateContent",
    "local": "/v1/chat/completions",
}
keys = pytest.mark.parametrize("name", NAMES)


class Owner:
    """Somebody with four keys and no CLI."""

    def __init__(self, simulator: Simulator, home: Path) -> None:
        self.simulator = simulator
        self.home = home
        (home / "config").mkdir()
        (home / "config/oneseat.toml").write_text(SETTINGS.format(home=home))
        (home / "google-key").write_text("AIza-made-up-0123456789abcdefghij")
        (home / "google-key").chmod(0o600)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ONESEAT_HOME": str(home),
            "ONESEAT_CLAUDE_PATH": "/nowhere/claude",
            "OWN_CLAUDE_KEY": KEY,
            "OWN_OPENAI_KEY": KEY,
        }

    def run(self, scenario: str, prompt: str = "say ok", **options: Any) -> tuple[int, RunResult]:
        """One run of the library in this process, where the SDKs are loaded once: its exit code and its result."""
        result, _ = asyncio.run(self.events(scenario, prompt, **options))
        return 0 if result.error is None else exit_code(result.error.code), result

    async def events(
        self, scenario: str, prompt: str = "go", **options: Any
    ) -> tuple[RunResult, list[Event]]:
        """One run of the library, and what it told."""
        env = self.env | {"ONESEAT_SIMULATOR_URL": self.simulator.url(scenario, "case")}
        request = make_request(prompt, cwd=self.home, **options)
        async with opened_app(Installation(env)) as app, app.stream(request) as stream:
            seen = [event async for event in stream]
        assert stream.result is not None
        return stream.result, seen


@pytest.fixture
def owner(simulator: Simulator, tmp_path: Path) -> Owner:
    return Owner(simulator, tmp_path)


@keys
def test_a_run_on_a_key_needs_no_cli_and_proves_who_paid(owner: Owner, name: str) -> None:
    code, result = owner.run("ok", key=name, model="made-up-1")
    receipt = result.receipt
    assert (code, result.text, result.status) == (0, "ok from the simulator", "completed")
    wallets = (receipt.wallet, receipt.expected_wallet, receipt.verdict)
    assert wallets == ("simulator", "simulator", "verified")
    evidence = {each.what: each.value for each in receipt.evidence}
    assert (evidence["key.name"], evidence["key.endpoint_of"]) == (name, "simulator")
    (record,) = owner.simulator.requests()
    assert record.path == PATHS[name]
    assert record.simulator_token, "a real key went to the simulator"
    ledger = b"".join(path.read_bytes() for path in owner.home.rglob("*.db*"))
    assert b"made-up-0123456789" not in ledger


def test_the_command_prints_the_same_and_no_key(owner: Owner) -> None:
    env = owner.env | {"ONESEAT_SIMULATOR_URL": owner.simulator.url("ok", "case")}
    command = [sys.executable, "-m", "oneseat", "run", "--json", "--key", "work", "say ok"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, json.loads(done.stdout)["receipt"]["verdict"]) == (0, "verified")
    assert "made-up-0123456789" not in done.stdout + done.stderr


def test_what_is_less_than_a_cent_is_not_said_to_be_nothing(owner: Owner) -> None:
    # No simulated run: an address of one's own is charged for, and here it is the simulator's.
    settings = owner.home / "config/oneseat.toml"
    address = f'provider = "openai"\nbase_url = "{owner.simulator.url("ok", "paid")}/v1"\n'
    settings.write_text(settings.read_text().replace('provider = "openai"\n', address))
    command = [sys.executable, "-m", "oneseat", "run", "--key", "work", "say ok"]
    done = subprocess.run(command, env=owner.env, capture_output=True, text=True, timeout=60, check=False)
    assert "wallet api_key (verified)" in done.stderr
    assert "charged $0.0004, list price $0.0004" in done.stderr


def test_what_a_run_cost_is_the_price_of_its_tokens_and_free_where_nothing_is_charged(owner: Owner) -> None:
    _, paid = owner.run("ok", key="claude", model="sonnet")
    _, unknown = owner.run("ok", key="claude", model="made-up-1")
    _, free = owner.run("ok", key="local", model="made-up-1")
    _, lost = owner.run("reset", key="claude", model="sonnet")
    costs = [
        (each.receipt.equivalent_cost_usd, each.receipt.cost_source) for each in (paid, unknown, free, lost)
    ]
    assert costs == [
        (pytest.approx(0.00041), "price_table"),
        (None, "unknown"),
        (0.0, "price_table"),
        (None, "unknown"),
    ]
    assert paid.receipt.model == "claude-sonnet-5-5"


def test_a_run_stops_at_its_cap_to_the_cent(owner: Owner) -> None:
    usage = Usage(input_tokens=30, cache_write_5m_tokens=0, cache_read_tokens=0)
    owner.simulator.script("long", [Answer(content=(Text("word " * 4000),), usage=usage)])
    code, result = owner.run("long", key="claude", model="claude-sonnet-5-5", max_budget_usd=0.02)
    cost = result.receipt.equivalent_cost_usd
    assert (code, result.error and result.error.code) == (4, "budget.reached")
    assert cost is not None
    assert 0.015 < cost <= 0.02
    assert result.text.count("word") == result.receipt.usage.output_tokens


@pytest.mark.parametrize(
    ("scenario", "code", "exit_code"),
    [
        ("invalid-api-key", "provider.auth_rejected", 7),
        ("credit-balance", "provider.credit_exhausted", 7),
        ("max-tokens", "incomplete.max_tokens", 8),
        ("html", "provider.garbled", 7),
        ("empty", "incomplete.empty", 8),
        ("hang", "stall.model", 6),
        ("hang-mid-stream", "stall.model", 6),
    ],
)
def test_failures_have_their_exit_codes(owner: Owner, scenario: str, code: str, exit_code: int) -> None:
    with (owner.home / "config/oneseat.toml").open("a") as settings:
        settings.write("[watchdog]\nmodel_s = 1\n[retry]\nmax_attempts = 1\n")
    done, result = owner.run(scenario, key="work")
    assert (done, result.error and result.error.code) == (exit_code, code)


def test_a_request_that_came_too_early_is_repeated_when_the_vendor_says(owner: Owner) -> None:
    early = Failure(status=429, kind="rate_limit_error", message="slower", retry_after_s=1)
    owner.simulator.script("early", [early, Answer(content=(Text("ok"),))])
    code, result = owner.run("early", key="work")
    assert (code, result.receipt.attempts) == (0, 2)
    assert result.receipt.duration_ms >= 1000


def test_a_key_that_is_not_there_is_told_before_anything_is_sent(owner: Owner) -> None:
    del owner.env["OWN_OPENAI_KEY"]
    owner.env |= {"OPENAI_API_KEY": KEY}
    command = [sys.executable, "-m", "oneseat", "run", "--json", "--key", "work", "say ok"]
    done = subprocess.run(command, env=owner.env, capture_output=True, text=True, timeout=60, check=False)
    result = json.loads(done.stdout)
    assert (result["error"]["code"], result["receipt"]["verdict"]) == ("provider.no_key", "nothing_sent")
    assert done.returncode == 7


@tool(read_only=True)
async def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


@keys
def test_functions_schemas_and_repairs_work_through_the_library(owner: Owner, name: str) -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    owner.simulator.script(
        "task",
        [
            ToolRound(
                call=ToolUse("add", {"one": 40, "other": 2}), answer=Answer(content=(Text("forty-two"),))
            ),
            Answer(content=(Text("forty-two"),)),
            Answer(content=(Structured({"sum": 42}),)),
        ],
    )
    result, events = asyncio.run(
        owner.events("task", key=name, model="made-up-1", functions=[add], schema=schema)
    )
    assert (result.error, result.structured) == (None, {"sum": 42})
    assert [event.text for event in events if isinstance(event, ToolResult)] == ["42"]
    assert len(owner.simulator.messages()) == 3
    assert any(isinstance(event, TextDelta) for event in events)


def test_a_conversation_on_a_key_goes_on(owner: Owner) -> None:
    async def talk() -> list[str]:
        env = owner.env | {"ONESEAT_SIMULATOR_URL": owner.simulator.url("ok", "case")}
        async with opened_app(Installation(env)) as app, app.conversation(key="work") as talk:
            results = [
                await talk.run(make_request(text, cwd=owner.home, key="work"))
                for text in ("remember violet", "which colour?")
            ]
        return [result.status for result in results]

    assert asyncio.run(talk()) == ["completed", "completed"]
    assert "remember violet" in str(owner.simulator.messages()[1].body)


def test_a_conversation_needs_a_key_that_is_there(owner: Owner) -> None:
    async def talk() -> None:
        async with opened_app(Installation(owner.env)) as app, app.conversation(key="nobodys"):
            pass

    with pytest.raises(UsageError) as caught:
        asyncio.run(talk())
    assert caught.value.info.code == "usage.unknown_key"


def test_a_run_on_the_seat_loads_no_sdk(owner: Owner) -> None:
    program = (
        "import sys, oneseat.__main__\n"
        "sys.argv = ['oneseat', 'run', 'say ok']\n"
        "try:\n    oneseat.__main__.main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'anthropic', 'openai', 'google.genai', 'httpx2', 'oneseat.providers.api.session'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=owner.env, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
