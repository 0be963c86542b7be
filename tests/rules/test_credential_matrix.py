"""Every credential case recorded from the real CLI (2.1.197), taken through the scanner and the gate.

The recordings say which header reached the server. A case may only be cleared if that was the plan's own login.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.facts import Account, CredentialFacts
from oneseat.contract.receipt import Evidence, PolicyStamp
from oneseat.contract.request import Request
from oneseat.contract.stations import Cleared, Permitted
from oneseat.providers.claude_cli.account import account_of, settings_sources
from oneseat.providers.cli_common.environment_scan import child_sources, scan_environment
from oneseat.rules.billing.gate import clear
from oneseat.rules.budgets.allocation import reserve

MATRIX = Path(__file__).parents[1] / "data" / "claude" / "auth-matrix.jsonl"
RECORDED = {
    case["case"]: case for case in (msgspec.json.decode(line) for line in MATRIX.read_bytes().splitlines())
}
PERMITTED = Permitted(request=Request(prompt="hi", cwd="/"), policy=PolicyStamp("GREEN", "G1", "2026.11.20"))
BUDGETED = reserve(PERMITTED, NO_BUDGET)
#: What the child was given by oneseat; everything else in its environment came from elsewhere.
GIVEN = {"CLAUDE_CODE_OAUTH_TOKEN": "made-up", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}

TOKEN = {"tokenSource": "CLAUDE_CODE_OAUTH_TOKEN", "apiProvider": "firstParty"}
STORED = {"subscriptionType": "Claude Max", "apiProvider": "firstParty"}
NOBODY = {"tokenSource": "none", "apiProvider": "firstParty"}
BEARER = {"tokenSource": "ANTHROPIC_AUTH_TOKEN", "apiProvider": "firstParty"}


def keyed(account: dict[str, str], by: str = "ANTHROPIC_API_KEY") -> dict[str, str]:
    return {**account, "apiKeySource": by}


class Case(msgspec.Struct, frozen=True):
    """What the CLI says in a case, what is in its environment and in its settings, and what the gate must say."""

    account: dict[str, str]
    code: str | None = None
    env: dict[str, str] = {}
    origin: str = ""
    settings: dict[str, Any] = {}

    def facts(self) -> CredentialFacts:
        listed = [{"source": self.origin, "settings": self.settings}] if self.origin else []
        return CredentialFacts(
            account=account_of({"account": self.account}),
            exposed=(
                *settings_sources({"effective": self.settings, "sources": listed}),
                *child_sources({**GIVEN, **self.env}, GIVEN, CLAUDE_NAMES),
            ),
        )


NOTHING: dict[str, str] = {}
KEY = {"ANTHROPIC_API_KEY": "made-up"}
AUTH = {"ANTHROPIC_AUTH_TOKEN": "made-up"}
HELPER = {"apiKeyHelper": "echo made-up"}
BASE = {"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:2"}}
KEY_WINS, HELPER_WINS = "billing.api_key_wins", "billing.key_helper_wins"
AUTH_WINS, OUT, CLOUD = "billing.auth_token_wins", "provider.signed_out", "billing.cloud_provider"
HEADERS, ADDRESS, UNSAFE = "billing.custom_headers", "billing.base_url_changed", "billing.unsafe_child"
USER, PROJECT, LOCAL, FLAG = "userSettings", "projectSettings", "localSettings", "flagSettings"

CASES: dict[str, Case] = {
    "none": Case(NOBODY, OUT),
    "oauth_env": Case(TOKEN),
    "oauth_env+creds": Case(TOKEN),
    "creds_only": Case(STORED),
    "apikey_env": Case(keyed(NOBODY), KEY_WINS, KEY),
    "apikey+oauth_env": Case(keyed(TOKEN), KEY_WINS, KEY),
    "apikey+creds": Case(keyed({"tokenSource": "claude.ai", "apiProvider": "firstParty"}), KEY_WINS, KEY),
    "authtoken": Case(BEARER, AUTH_WINS, AUTH),
    "authtoken+oauth_env": Case(BEARER, AUTH_WINS, AUTH),
    "authtoken+apikey": Case(keyed(BEARER), KEY_WINS, {**AUTH, **KEY}),
    "authtoken+apikey+oauth": Case(keyed(BEARER), KEY_WINS, {**AUTH, **KEY}),
    "authtoken+creds": Case(BEARER, AUTH_WINS, AUTH),
    "helper_user": Case(keyed(NOBODY, "apiKeyHelper"), HELPER_WINS, NOTHING, USER, HELPER),
    "helper_user+oauth_env": Case(keyed(TOKEN, "apiKeyHelper"), HELPER_WINS, NOTHING, USER, HELPER),
    "helper_user+creds": Case(
        keyed({"tokenSource": "apiKeyHelper", "apiProvider": "firstParty"}, "apiKeyHelper"),
        HELPER_WINS,
        NOTHING,
        USER,
        HELPER,
    ),
    "helper_user+apikey": Case(keyed(NOBODY), KEY_WINS, KEY, USER, HELPER),
    "helper_user+authtoken": Case(keyed(BEARER, "apiKeyHelper"), HELPER_WINS, AUTH, USER, HELPER),
    "helper_project+oauth_env": Case(keyed(TOKEN, "apiKeyHelper"), HELPER_WINS, NOTHING, PROJECT, HELPER),
    "helper_local+oauth_env": Case(keyed(TOKEN, "apiKeyHelper"), HELPER_WINS, NOTHING, LOCAL, HELPER),
    "helper_--settings+oauth_env": Case(keyed(TOKEN, "apiKeyHelper"), HELPER_WINS, NOTHING, FLAG, HELPER),
    "helper_fails+oauth_env": Case(keyed(TOKEN, "apiKeyHelper"), HELPER_WINS, NOTHING, USER, HELPER),
    "envblock_user_apikey+oauth_env": Case(keyed(TOKEN), KEY_WINS, NOTHING, USER, {"env": KEY}),
    "envblock_user_apikey+creds": Case(keyed(STORED), KEY_WINS, NOTHING, USER, {"env": KEY}),
    "envblock_project_apikey+oauth_env": Case(keyed(TOKEN), KEY_WINS, NOTHING, PROJECT, {"env": KEY}),
    "envblock_local_apikey+oauth_env": Case(keyed(TOKEN), KEY_WINS, NOTHING, LOCAL, {"env": KEY}),
    "envblock_--settings_apikey+oauth_env": Case(keyed(TOKEN), KEY_WINS, NOTHING, FLAG, {"env": KEY}),
    "envblock_user_authtoken+oauth_env": Case(BEARER, AUTH_WINS, NOTHING, USER, {"env": AUTH}),
    "envblock_user_oauth_other+oauth_env": Case(
        TOKEN, UNSAFE, NOTHING, USER, {"env": {"CLAUDE_CODE_OAUTH_TOKEN": "another"}}
    ),
    "envblock_user_baseurl+oauth_env": Case(TOKEN, ADDRESS, NOTHING, USER, BASE),
    "envblock_project_baseurl+oauth_env": Case(TOKEN, ADDRESS, NOTHING, PROJECT, BASE),
    # Kept out by the command line: nothing of them is in `get_settings`.
    "envblock_project_apikey+oauth+setting-sources=": Case(TOKEN),
    "envblock_user_apikey+oauth+setting-sources=": Case(TOKEN),
    "helper_user+oauth+setting-sources=": Case(TOKEN),
    "envblock_project_apikey+oauth+sources=user": Case(TOKEN),
    "bare+oauth_env": Case(NOBODY, OUT),
    "bare+apikey": Case(keyed(NOBODY), KEY_WINS, KEY),
    "bare+apikey+oauth": Case(keyed(NOBODY), KEY_WINS, KEY),
    "bare+authtoken": Case(BEARER, AUTH_WINS, AUTH),
    "bare+creds": Case(NOBODY, OUT),
    "bare+helper_user+oauth": Case(NOBODY, OUT),
    "bare+helper_--settings": Case(keyed(NOBODY, "apiKeyHelper"), HELPER_WINS, NOTHING, FLAG, HELPER),
    "simple_env+oauth": Case(NOBODY, UNSAFE, {"CLAUDE_CODE_SIMPLE": "1"}),
    "bedrock+oauth": Case({"apiProvider": "bedrock"}, CLOUD, {"CLAUDE_CODE_USE_BEDROCK": "1"}),
    "vertex+oauth": Case({"apiProvider": "vertex"}, CLOUD, {"CLAUDE_CODE_USE_VERTEX": "1"}),
    "foundry+oauth": Case({"apiProvider": "foundry"}, CLOUD, {"CLAUDE_CODE_USE_FOUNDRY": "1"}),
    "bedrock=0+oauth": Case(TOKEN, None, {"CLAUDE_CODE_USE_BEDROCK": "0"}),
    "envblock_project_bedrock+oauth": Case(
        {"apiProvider": "bedrock"}, CLOUD, NOTHING, PROJECT, {"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}
    ),
    "anthropic_aws+oauth": Case(
        {"apiProvider": "anthropicAws"}, CLOUD, {"CLAUDE_CODE_USE_ANTHROPIC_AWS": "1"}
    ),
    "mantle+oauth": Case({"apiProvider": "mantle"}, CLOUD, {"CLAUDE_CODE_USE_MANTLE": "1"}),
    # These had no effect in the recording, but nobody promises that they never will: still refused.
    "gateway+oauth": Case(TOKEN, CLOUD, {"CLAUDE_CODE_USE_GATEWAY": "1"}),
    "managed_by_host+apikey+oauth": Case(
        keyed(TOKEN), KEY_WINS, {**KEY, "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1"}
    ),
    "profile+oauth": Case(TOKEN, UNSAFE, {"ANTHROPIC_PROFILE": "work"}),
    "federation+oauth": Case(
        TOKEN, UNSAFE, {"ANTHROPIC_FEDERATION_RULE_ID": "r", "ANTHROPIC_ORGANIZATION_ID": "o"}
    ),
    "config_dir_creds": Case(STORED),
    "config_dir_empty+home_creds": Case(NOBODY, OUT),
    "custom_headers+oauth": Case(TOKEN, HEADERS, {"ANTHROPIC_CUSTOM_HEADERS": "x-api-key: made-up"}),
    "customhdr_auth+oauth": Case(TOKEN, HEADERS, {"ANTHROPIC_CUSTOM_HEADERS": "Authorization: made-up"}),
    "oauth_empty_string": Case(NOBODY, OUT),
    "apikey_empty+oauth": Case(TOKEN, None, {"ANTHROPIC_API_KEY": ""}),
    "creds_no_inference_scope": Case(NOBODY, OUT),
    "forceLogin_console+oauth": Case(TOKEN, None, NOTHING, "policySettings", {"forceLoginMethod": "console"}),
}
PLAN_HEADERS = {"Bearer:sk-ant-oat01-FAKE", "Bearer:sk-ant-oat01-CREDFILE", "Bearer:sk-ant-oat01-CFGDIR"}


def test_every_recorded_case_has_a_decision() -> None:
    assert CASES.keys() == RECORDED.keys()


@pytest.mark.parametrize("name", CASES)
def test_the_decision_is_the_expected_one(name: str) -> None:
    decision = clear(BUDGETED, CASES[name].facts(), "plan")
    assert (None if isinstance(decision, Cleared) else decision.error.code) == CASES[name].code


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.code is None])
def test_what_is_cleared_was_paid_by_the_plan_in_the_recording(name: str) -> None:
    request = RECORDED[name]["first_request"]
    assert request["route"] == "base_url"
    assert len(request["auth_headers"]) == 1
    assert set(request["auth_headers"]) <= PLAN_HEADERS
    assert RECORDED[name]["init_apiKeySource"] == ["none"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.env and case.code])
def test_the_same_names_around_the_caller_are_kept_and_the_run_goes_on(name: str) -> None:
    kept = scan_environment(CASES[name].env, CLAUDE_NAMES)
    account = Account(token_source="CLAUDE_CODE_OAUTH_TOKEN", api_provider="firstParty")
    decision = clear(BUDGETED, CredentialFacts(account=account, withheld=kept), "plan")
    assert isinstance(decision, Cleared)
    named = {Evidence(f"kept:{variable}", "environment", "before") for variable in CASES[name].env}
    assert named <= set(decision.evidence)
