"""The billing gate of `codex`: a plan only where the CLI, its file, its account and its process all agree."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.facts import CodexFacts, CodexLogin, CredentialSource, Scope, SourceKind
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Request
from oneseat.contract.stations import Cleared, Permitted
from oneseat.rules.billing.codex import judge
from oneseat.rules.billing.gate import clear
from oneseat.rules.budgets.allocation import reserve

PERMITTED = Permitted(request=Request(prompt="hi", cwd="/"), policy=PolicyStamp("GREEN", "G1", "2026.11.20"))
BUDGETED = reserve(PERMITTED, NO_BUDGET)
SOURCES = st.builds(
    CredentialSource,
    name=st.text(),
    kind=st.sampled_from(get_args(SourceKind)),
    scope=st.sampled_from(get_args(Scope)),
    place=st.text(),
)
LOGIN = CodexLogin(kind="file", place="auth.json", auth_mode="chatgpt", has_refresh_token=True)
GOOD = CodexFacts(login=LOGIN, auth_method="chatgpt", plan="plus")
WORDS = st.one_of(
    st.none(), st.sampled_from(["chatgpt", "apikey", "openai", "plus", "enterprise"]), st.text()
)


def source(name: str, kind: SourceKind, scope: Scope = "child") -> CredentialSource:
    return CredentialSource(name=name, kind=kind, scope=scope, place="here")


def with_(**changes: Any) -> CodexFacts:
    return msgspec.structs.replace(GOOD, **changes)


@pytest.mark.parametrize("plan", ["free", "plus", "pro", "team", "business", "edu"])
def test_a_flat_plan_pays(plan: str) -> None:
    assert judge(with_(plan=plan), "plan")[0] == "plan"
    assert judge(with_(plan=plan, simulated=True), "simulator")[::2] == ("simulator", None)


@pytest.mark.parametrize(
    ("facts", "wallet", "code"),
    [
        (with_(auth_method="apikey"), "api_key", "billing.api_key_wins"),
        (
            with_(auth_method=None, login=CodexLogin(kind="file", place="x", has_key=True)),
            "api_key",
            "billing.api_key_wins",
        ),
        (with_(auth_method=None, login=CodexLogin(kind="none", place="x")), "unknown", "provider.signed_out"),
        (with_(plan=None, refused="no account"), "unknown", "billing.unknown_wallet"),
        (with_(plan="enterprise_cbp_usage_based"), "unknown", "billing.unknown_wallet"),
        (with_(plan="something new"), "unknown", "billing.unknown_wallet"),
        (with_(model_provider="azure"), "unknown", "billing.cloud_provider"),
        (with_(credits_next=True), "plan", "billing.credits_next"),
        (with_(tampering="a script"), "unknown", "billing.unsafe_child"),
        (with_(exposed=(source("CODEX_API_KEY", "api_key"),)), "unknown", "billing.api_key_wins"),
        (with_(exposed=(source("openai_base_url", "base_url"),)), "unknown", "billing.base_url_changed"),
        (
            with_(exposed=(source("openai_base_url", "base_url", "managed_settings"),)),
            "unknown",
            "billing.managed_settings",
        ),
        (with_(exposed=(source(".env", "unreadable"),)), "unknown", "billing.unsafe_child"),
    ],
)
def test_anything_else_is_refused_by_its_name(facts: CodexFacts, wallet: str, code: str) -> None:
    found, _, error = judge(facts, "plan")
    assert error is not None
    assert (found, error.code) == (wallet, code)
    assert error.hint is not None


@given(
    st.builds(
        CodexFacts,
        login=st.builds(
            CodexLogin,
            kind=st.sampled_from(["file", "keyring", "none"]),
            place=st.text(),
            auth_mode=WORDS,
            has_key=st.booleans(),
        ),
        auth_method=WORDS,
        plan=WORDS,
        model_provider=WORDS,
        credits_next=st.sampled_from([None, True, False]),
        exposed=st.lists(SOURCES, max_size=2).map(tuple),
        tampering=st.one_of(st.none(), st.text(min_size=1)),
    )
)
def test_only_certain_facts_pass(facts: CodexFacts) -> None:
    _, _, error = judge(facts, "plan")
    certain = (
        facts.auth_method == "chatgpt"
        and facts.plan == "plus"
        and facts.model_provider in {None, "openai"}
        and not facts.exposed
        and facts.tampering is None
        and not facts.credits_next
    )
    assert (error is None) == certain


def test_the_gate_sends_facts_to_their_own_rules() -> None:
    cleared = clear(BUDGETED, GOOD, "plan")
    assert isinstance(cleared, Cleared)
    assert cleared.wallet == "plan"
    assert ("codex.planType", "plus") in [(one.what, one.value) for one in cleared.evidence]


@pytest.mark.parametrize("kind", get_args(SourceKind))
@pytest.mark.parametrize("scope", get_args(Scope))
def test_every_source_has_a_refusal(kind: SourceKind, scope: Scope) -> None:
    present = (CredentialSource(name="X", kind=kind, scope=scope, place="here"),)
    error = judge(with_(exposed=present), "plan")[2]
    assert error is not None
    assert error.code.startswith("billing.")
