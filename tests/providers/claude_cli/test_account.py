"""Who the official CLI says would pay: its own answers, and the real CLI where its answers are not the whole truth."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.facts import Account, CredentialFacts
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Request, Tools
from oneseat.contract.stations import Permitted, Refused
from oneseat.providers.claude_cli.account import account_of, settings_sources
from oneseat.providers.claude_cli.argv import command_line
from oneseat.providers.claude_cli.credentials import reaching, write_simulated_login
from oneseat.providers.cli_common.environment_scan import child_sources
from oneseat.rules.billing.claude import wallet_of
from oneseat.rules.billing.gate import clear
from oneseat.rules.budgets.allocation import reserve

SECRET = "made-up-value-that-must-not-appear"


def found(settings: dict[str, Any]) -> list[tuple[str, str, str]]:
    sources = settings_sources(settings)
    assert SECRET not in repr(sources)
    return [(source.name, source.kind, source.scope) for source in sources]


@pytest.mark.parametrize(
    ("opened", "account"),
    [
        ({}, None),
        ({"account": None}, None),
        ({"account": []}, None),
        ({"account": {}}, Account()),
        (
            {"account": {"tokenSource": "none", "apiKeySource": "k", "apiProvider": "p", "email": SECRET}},
            Account(token_source="none", api_key_source="k", api_provider="p"),
        ),
        ({"account": {"subscriptionType": "Claude Max"}}, Account(subscription="Claude Max")),
        ({"account": {"apiKeySource": True}}, Account(api_key_source="(not text)")),
    ],
)
def test_the_account_is_taken_as_it_was_said(opened: dict[str, Any], account: Account | None) -> None:
    assert account_of(opened) == account


@pytest.mark.parametrize(
    ("origin", "scope"),
    [
        ("policySettings", "managed_settings"),
        ("flagSettings", "child"),
        ("userSettings", "user_settings"),
        ("projectSettings", "project_settings"),
        ("localSettings", "local_settings"),
        ("somethingNew", "child"),
        (None, "child"),
    ],
)
def test_settings_are_named_by_where_the_cli_has_them_from(origin: object, scope: str) -> None:
    block = {"apiKeyHelper": SECRET, "env": {"ANTHROPIC_API_KEY": SECRET, "EDITOR": SECRET}, "model": "x"}
    listed = {"effective": block, "sources": [{"source": origin, "settings": block}]}
    assert found(listed) == [("ANTHROPIC_API_KEY", "api_key", scope), ("apiKeyHelper", "key_helper", scope)]


def test_what_is_in_effect_counts_even_if_no_source_lists_it() -> None:
    assert found({"effective": {"env": {"ANTHROPIC_BASE_URL": SECRET}}}) == [
        ("ANTHROPIC_BASE_URL", "base_url", "child")
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"effective": {}, "sources": []},
        {"effective": None, "sources": None},
        {"effective": {"env": None, "apiKeyHelper": ""}, "sources": [None, {"settings": []}]},
        {"effective": {"env": {"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": None}}},
        {"effective": {"env": {"CLAUDE_CODE_USE_BEDROCK": False, "HTTPS_PROXY": "http://127.0.0.1:1"}}},
        {"effective": {"forceLoginMethod": "claudeai", "permissions": {"deny": ["Bash"]}}},
    ],
)
def test_harmless_and_broken_answers_name_nothing(settings: dict[str, Any]) -> None:
    assert found(settings) == []


class RealCli:
    """The real CLI, asked who would pay. It is given no prompt, so nothing is sent; its address is a closed local port."""

    def __init__(self, path: Path, home: Path) -> None:
        self.path = path
        self.home = home
        self.env = {
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-made-up",
        }

    def wrapped(self, script: str) -> Path:
        """A script around the CLI; ``CLI`` in it stands for the call of the real one."""
        path = self.home / "wrapper"
        path.write_text("#!/bin/sh\n" + script.replace("CLI", f'"{self.path}" "$@"') + "\n", "utf-8")
        path.chmod(0o755)
        return path

    def facts(self, program: Path | None = None) -> CredentialFacts:
        """What is known before a prompt would be sent."""
        with self._running(program or self.path) as process:
            opened, settings = self._ask(process, "initialize"), self._ask(process, "get_settings")
            environ = psutil.Process(opened["pid"]).environ()
        present = (
            *reaching(self.env, self.home),
            *settings_sources(settings),
            *child_sources(environ, self.env, CLAUDE_NAMES),
        )
        return CredentialFacts(account=account_of(opened), exposed=present)

    @contextmanager
    def _running(self, program: Path) -> Iterator[subprocess.Popen[bytes]]:
        argv = command_line(str(program), "sonnet", Tools(), None)
        with subprocess.Popen(
            argv, env=self.env, cwd=self.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            family = psutil.Process(process.pid)
            try:
                yield process
            finally:
                for child in (*family.children(recursive=True), family):
                    child.kill()

    def _ask(self, process: subprocess.Popen[bytes], subtype: str) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"type": "control_request", "request_id": subtype, "request": {"subtype": subtype}}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            answer = json.loads(line)
            if answer["type"] == "control_response" and answer["response"]["request_id"] == subtype:
                return dict(answer["response"]["response"])
        raise AssertionError("the CLI ended before it answered")


@pytest.fixture
def cli(claude_path: Path, tmp_path: Path) -> RealCli:
    return RealCli(claude_path, tmp_path)


def decision(facts: CredentialFacts) -> str:
    permitted = Permitted(
        request=Request(prompt="hi", cwd="/"), policy=PolicyStamp("GREEN", "G1", "2026.11.20")
    )
    decided = clear(reserve(permitted, NO_BUDGET), facts, "plan")
    return decided.error.code if isinstance(decided, Refused) else decided.wallet


def test_a_plain_login_is_the_plan(cli: RealCli) -> None:
    facts = cli.facts()
    assert facts.exposed == ()
    assert decision(facts) == "plan"


def test_the_simulated_login_file_reads_as_a_plan(cli: RealCli) -> None:
    (cli.home / ".claude").mkdir()
    write_simulated_login(cli.home / ".claude", "sk-ant-oat01-made-up")
    del cli.env["CLAUDE_CODE_OAUTH_TOKEN"]
    facts = cli.facts()
    assert facts.account == Account(api_provider="firstParty", subscription="Claude Max")
    assert decision(facts) == "plan"


def test_the_state_files_env_block_changes_the_address_behind_the_accounts_back(cli: RealCli) -> None:
    names = ("ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS")
    (cli.home / ".claude.json").write_text(
        json.dumps({"env": dict.fromkeys(names, "http://127.0.0.1:8")}), "utf-8"
    )
    facts = cli.facts()
    # Neither the account nor the settings nor the environment show it: only the file does.
    assert wallet_of(facts.account) == "plan"
    assert {(source.name, source.scope) for source in facts.exposed} == {
        (name, "global_config") for name in names
    }
    assert decision(facts) == "billing.base_url_changed"


def test_the_state_files_env_block_applies_with_every_setting_source_switched_off(cli: RealCli) -> None:
    (cli.home / ".claude.json").write_text('{"env": {"ANTHROPIC_API_KEY": "sk-ant-api03-made-up"}}', "utf-8")
    facts = cli.facts()
    assert facts.account is not None
    assert facts.account.api_key_source == "ANTHROPIC_API_KEY"
    assert decision(facts) == "billing.api_key_wins"


def test_a_script_that_moves_the_home_folder_is_seen_through(cli: RealCli) -> None:
    # The state file in the other home redirects the login, and nothing but the changed folder gives it away.
    other = cli.home / "other"
    other.mkdir()
    (other / ".claude.json").write_text('{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8"}}', "utf-8")
    facts = cli.facts(cli.wrapped(f"HOME='{other}' exec CLI"))
    assert [(source.name, source.scope) for source in facts.exposed] == [("HOME", "child")]
    assert decision(facts) == "billing.unsafe_child"
