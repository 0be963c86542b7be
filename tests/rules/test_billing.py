"""The billing gate: what it lets pass, what it refuses and in which words, and what a receipt may claim afterwards."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.errors import exit_code
from oneseat.contract.events import Event, LimitSeen, Progress, Started
from oneseat.contract.facts import Account, CredentialFacts, CredentialSource, Scope, SourceKind
from oneseat.contract.receipt import Evidence, LimitReading, PolicyStamp, Verdict, Wallet
from oneseat.contract.request import Request
from oneseat.contract.stations import Cleared, Permitted, Refused
from oneseat.rules.billing.claude import wallet_of
from oneseat.rules.billing.gate import clear, conclude, judge_during, verdict
from oneseat.rules.budgets.allocation import reserve

PERMITTED = Permitted(request=Request(prompt="hi", cwd="/"), policy=PolicyStamp("GREEN", "G1", "2026.11.20"))
BUDGETED = reserve(PERMITTED, NO_BUDGET)
TOKEN = Account(token_source="CLAUDE_CODE_OAUTH_TOKEN", api_provider="firstParty")
STORED = Account(subscription="Claude Max", api_provider="firstParty")
NOBODY = Account(token_source="none", api_provider="firstParty")
WORDS = st.one_of(st.none(), st.sampled_from(["none", "claude.ai", "profile", "apiKeyHelper"]), st.text())
SOURCES = st.builds(
    CredentialSource,
    name=st.text(),
    kind=st.sampled_from(get_args(SourceKind)),
    scope=st.sampled_from(get_args(Scope)),
    place=st.text(),
)


def source(name: str, kind: SourceKind, scope: Scope = "child", place: str = "here") -> CredentialSource:
    return CredentialSource(name=name, kind=kind, scope=scope, place=place)


def refused(facts: CredentialFacts, expected: Wallet = "plan") -> Refused:
    decision = clear(BUDGETED, facts, expected)
    assert isinstance(decision, Refused)
    return decision


@pytest.mark.parametrize(
    ("account", "wallet"),
    [
        (None, "unknown"),
        (Account(), "unknown"),
        (TOKEN, "plan"),
        (STORED, "plan"),
        (Account(token_source="CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", api_provider="firstParty"), "plan"),
        (Account(subscription="Claude Ultra", api_provider="firstParty"), "plan"),
        (Account(subscription="Claude Max 5x", api_provider="firstParty"), "plan"),
        # A login without a plan, and one that may be billed by use.
        (Account(subscription="Claude API", api_provider="firstParty"), "unknown"),
        (Account(subscription="Claude Enterprise", api_provider="firstParty"), "unknown"),
        (Account(subscription="Claude Maximum", api_provider="firstParty"), "unknown"),
        (Account(api_provider="firstParty"), "unknown"),
        (NOBODY, "unknown"),
        (msgspec.structs.replace(TOKEN, api_provider=None), "unknown"),
        (msgspec.structs.replace(TOKEN, api_provider="somewhere"), "unknown"),
        (Account(api_provider="bedrock"), "cloud"),
        (Account(api_provider="anthropicGoogleCloud"), "cloud"),
        (msgspec.structs.replace(TOKEN, api_key_source="ANTHROPIC_API_KEY"), "api_key"),
        (msgspec.structs.replace(STORED, api_key_source="/login managed key"), "api_key"),
        (msgspec.structs.replace(TOKEN, api_key_source="none"), "plan"),
        (Account(token_source="apiKeyHelper", api_provider="firstParty"), "api_key"),
        (Account(token_source="ANTHROPIC_AUTH_TOKEN", api_provider="firstParty"), "unknown"),
        (Account(token_source="claude.ai", subscription="Claude Max", api_provider="firstParty"), "unknown"),
    ],
)
def test_wallet_of_an_account(account: Account | None, wallet: Wallet) -> None:
    assert wallet_of(account) == wallet


@pytest.mark.parametrize("account", [TOKEN, STORED])
def test_a_plan_is_cleared_with_its_evidence(account: Account) -> None:
    kept = source("ANTHROPIC_API_KEY", "api_key", "environment", "environment")
    decision = clear(BUDGETED, CredentialFacts(account=account, withheld=(kept,)), "plan")
    assert isinstance(decision, Cleared)
    assert decision.wallet == "plan"
    assert decision.budgeted is BUDGETED
    assert set(decision.evidence) == {
        Evidence("account.tokenSource", account.token_source, "before"),
        Evidence("account.apiKeySource", None, "before"),
        Evidence("account.apiProvider", "firstParty", "before"),
        Evidence("account.subscriptionType", account.subscription, "before"),
        Evidence("child.environment", "checked", "before"),
        Evidence("kept:ANTHROPIC_API_KEY", "environment", "before"),
    }


def test_a_child_whose_environment_cannot_be_read_is_said_to_be_unchecked() -> None:
    decision = clear(BUDGETED, CredentialFacts(account=TOKEN, child_checked=False), "plan")
    assert Evidence("child.environment", "not readable", "before") in decision.evidence


def test_the_simulator_passes_the_same_gate_under_its_own_name() -> None:
    decision = clear(BUDGETED, CredentialFacts(account=TOKEN, simulated=True), "simulator")
    assert isinstance(decision, Cleared)
    assert decision.wallet == "simulator"


@pytest.mark.parametrize(("simulated", "expected"), [(True, "plan"), (False, "simulator")])
def test_a_real_run_is_never_taken_for_a_simulated_one_nor_the_other_way_round(
    simulated: bool, expected: Wallet
) -> None:
    decision = refused(CredentialFacts(account=TOKEN, simulated=simulated), expected)
    assert decision.error.code == "billing.unknown_wallet"


REFUSALS: list[tuple[CredentialFacts, str, str, str, str]] = [
    (
        CredentialFacts(
            account=msgspec.structs.replace(TOKEN, api_key_source="ANTHROPIC_API_KEY"),
            exposed=(source("ANTHROPIC_API_KEY", "api_key", place="environment of the CLI process"),),
        ),
        "billing.api_key_wins",
        "An API key would pay instead of the plan: `ANTHROPIC_API_KEY`",
        "the official CLI says that it would use it; found in `environment of the CLI process`",
        "Name the official CLI itself, not a wrapper script: `export ONESEAT_CLAUDE_PATH=/path/to/claude`",
    ),
    (
        CredentialFacts(account=msgspec.structs.replace(TOKEN, api_key_source="ANTHROPIC_API_KEY")),
        "billing.api_key_wins",
        "An API key would pay instead of the plan: `ANTHROPIC_API_KEY`",
        "the official CLI says that it would use it; oneseat did not pass it on and cannot see where it comes from",
        "See every source and where it is: `oneseat doctor`",
    ),
    (
        CredentialFacts(account=msgspec.structs.replace(STORED, api_key_source="/login managed key")),
        "billing.api_key_wins",
        "An API key would pay instead of the plan: `/login managed key`",
        "the official CLI says that it would use it; it was stored when this account signed in for API billing",
        "Sign in with the plan instead: `claude`, then `/logout` and `/login`",
    ),
    (
        CredentialFacts(account=Account(token_source="ANTHROPIC_AUTH_TOKEN", api_provider="firstParty")),
        "billing.auth_token_wins",
        "A bearer token would be used instead of the plan: `ANTHROPIC_AUTH_TOKEN`",
        "the official CLI says that it would use it; oneseat did not pass it on and cannot see where it comes from",
        "See every source and where it is: `oneseat doctor`",
    ),
    (
        CredentialFacts(
            account=msgspec.structs.replace(TOKEN, api_key_source="apiKeyHelper"),
            exposed=(source("apiKeyHelper", "key_helper", place="--settings on the CLI's command line"),),
        ),
        "billing.key_helper_wins",
        "A key helper would pay instead of the plan: `apiKeyHelper`",
        "the official CLI says that it would use it; found in `--settings on the CLI's command line`",
        "Name the official CLI itself, not a wrapper script: `export ONESEAT_CLAUDE_PATH=/path/to/claude`",
    ),
    (
        CredentialFacts(
            account=Account(api_provider="bedrock"), exposed=(source("CLAUDE_CODE_USE_BEDROCK", "cloud"),)
        ),
        "billing.cloud_provider",
        "A cloud account would pay instead of the plan: `bedrock`",
        "switched on by `CLAUDE_CODE_USE_BEDROCK`, found in `here`",
        "Name the official CLI itself, not a wrapper script: `export ONESEAT_CLAUDE_PATH=/path/to/claude`",
    ),
    (
        CredentialFacts(account=Account(api_provider="gateway")),
        "billing.cloud_provider",
        "A cloud account would pay instead of the plan: `gateway`",
        "oneseat did not switch it on",
        "See every source and where it is: `oneseat doctor`",
    ),
    (
        CredentialFacts(
            account=TOKEN,
            exposed=(source("ANTHROPIC_BASE_URL", "base_url", "global_config", "/x/.claude.json"),),
        ),
        "billing.base_url_changed",
        "The login would be sent to an address other than the vendor's: `ANTHROPIC_BASE_URL`",
        "found in `/x/.claude.json`",
        "Remove `ANTHROPIC_BASE_URL` from `/x/.claude.json`, then check: `oneseat doctor`",
    ),
    (
        CredentialFacts(account=TOKEN, exposed=(source("ANTHROPIC_CUSTOM_HEADERS", "headers"),)),
        "billing.custom_headers",
        "Every request would be changed, and possibly who pays for it: `ANTHROPIC_CUSTOM_HEADERS`",
        "found in `here`",
        "Name the official CLI itself, not a wrapper script: `export ONESEAT_CLAUDE_PATH=/path/to/claude`",
    ),
    (
        CredentialFacts(
            account=msgspec.structs.replace(TOKEN, api_key_source="ANTHROPIC_API_KEY"),
            exposed=(source("ANTHROPIC_API_KEY", "api_key", "managed_settings", "managed settings"),),
        ),
        "billing.managed_settings",
        "An API key would pay instead of the plan: `ANTHROPIC_API_KEY`",
        "found in `managed settings`",
        "Ask the administrator of this machine to remove `ANTHROPIC_API_KEY`, then check: `oneseat doctor`",
    ),
    (
        CredentialFacts(account=NOBODY, exposed=(source("CLAUDE_CODE_SIMPLE", "mode"),)),
        "billing.unsafe_child",
        "The CLI is not running as oneseat started it, so it is not certain who pays: `CLAUDE_CODE_SIMPLE`",
        "found in `here`",
        "Name the official CLI itself, not a wrapper script: `export ONESEAT_CLAUDE_PATH=/path/to/claude`",
    ),
    (
        CredentialFacts(
            account=TOKEN, exposed=(source(".claude.json", "unreadable", "global_config", "/x/.claude.json"),)
        ),
        "billing.unsafe_child",
        "A file that could name another payer cannot be read: `.claude.json`",
        "found in `/x/.claude.json`",
        "Remove `.claude.json` from `/x/.claude.json`, then check: `oneseat doctor`",
    ),
    (
        CredentialFacts(account=Account(subscription="Claude API", api_provider="firstParty")),
        "billing.unknown_wallet",
        "It is not certain who would pay, so nothing was sent",
        "the login names `Claude API`, which is not known to be a plan with a flat price",
        "See every source and where it is: `oneseat doctor`",
    ),
    (
        CredentialFacts(account=Account(token_source="profile", api_provider="firstParty")),
        "billing.unknown_wallet",
        "It is not certain who would pay, so nothing was sent",
        "the CLI names its login `profile`, which is not known to be a plan's",
        "See every source and where it is: `oneseat doctor`",
    ),
    (
        CredentialFacts(account=Account(api_provider="firstParty")),
        "billing.unknown_wallet",
        "It is not certain who would pay, so nothing was sent",
        "the CLI names neither a plan nor a token; an active Anthropic profile (`~/.config/anthropic`) looks like this",
        "See every source and where it is: `oneseat doctor`",
    ),
    (
        CredentialFacts(account=TOKEN, tampering="its command line has `--bare`"),
        "billing.unsafe_child",
        "The CLI is not running as oneseat started it, so it is not certain who pays",
        "its command line has `--bare`",
        "Name the official CLI itself, not a wrapper script: `export ONESEAT_CLAUDE_PATH=/path/to/claude`",
    ),
    (
        CredentialFacts(account=NOBODY, simulated=True),
        "provider.signed_out",
        "The official CLI is not signed in to a plan",
        "this is a simulated run, and it has no made-up login either",
        "Simulate a login: `export ONESEAT_SIMULATOR_LOGIN=token`",
    ),
    (
        CredentialFacts(account=NOBODY),
        "provider.signed_out",
        "The official CLI is not signed in to a plan",
        "`claude` reports no login in its folder and no CLAUDE_CODE_OAUTH_TOKEN",
        "Run `claude` and sign in with `/login`, or make a token for unattended use: `claude setup-token`",
    ),
    (
        CredentialFacts(account=TOKEN, bad_token="it is too short: part of it is missing"),
        "provider.bad_token",
        "The plan's login token is not valid: `CLAUDE_CODE_OAUTH_TOKEN`",
        "it is too short: part of it is missing; nothing was sent",
        "Create a new one and paste all of it, as one line: `claude setup-token`",
    ),
]


@pytest.mark.parametrize(("facts", "code", "what", "why", "hint"), REFUSALS)
def test_a_refusal_names_the_winner_its_place_and_one_fix(
    facts: CredentialFacts, code: str, what: str, why: str, hint: str
) -> None:
    decision = refused(facts)
    assert (decision.error.code, decision.error.message) == (code, f"{what}\n  {why}")
    assert decision.error.hint == hint
    assert exit_code(code) == (7 if code.startswith("provider.") else 3)
    assert decision.policy == PERMITTED.policy
    assert decision.wallet not in {"plan", "simulator"}
    assert {f"present:{it.name}" for it in facts.exposed} <= {it.what for it in decision.evidence}


def test_keys_that_were_kept_from_a_seat_without_login_are_named() -> None:
    kept = source("ANTHROPIC_API_KEY", "api_key", "environment", "environment")
    decision = refused(CredentialFacts(account=NOBODY, withheld=(kept,)))
    assert decision.error.code == "provider.signed_out"
    assert decision.error.message.endswith(
        "\n  withheld from it: `ANTHROPIC_API_KEY` (environment); they do not belong to the plan, and oneseat does not spend them"
    )


def test_a_cli_that_does_not_answer_is_refused() -> None:
    decision = refused(CredentialFacts(account=None))
    assert (decision.error.code, decision.error.whose_turn) == ("provider.no_account", "provider")


@given(
    account=st.one_of(
        st.none(),
        st.builds(Account, token_source=WORDS, api_key_source=WORDS, api_provider=WORDS, subscription=WORDS),
    ),
    expected=st.sampled_from(["plan", "simulator"]),
    simulated=st.booleans(),
)
def test_no_account_but_a_plain_subscription_is_ever_cleared(
    account: Account | None, expected: Wallet, simulated: bool
) -> None:
    decision = clear(BUDGETED, CredentialFacts(account=account, simulated=simulated), expected)
    if isinstance(decision, Cleared):
        assert account is not None
        assert account.api_provider == "firstParty"
        assert account.api_key_source in {None, "none"}
        assert account.token_source in {
            None,
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
        }
        assert account.token_source is not None or account.subscription is not None


@given(
    account=st.sampled_from([TOKEN, STORED]),
    changed=st.dictionaries(
        st.sampled_from(["token_source", "api_key_source", "api_provider"]),
        st.text(min_size=1).filter(lambda word: word not in {"none", "firstParty"}),
        min_size=1,
    ),
)
def test_a_plan_with_any_word_that_is_not_its_own_is_never_cleared(
    account: Account, changed: dict[str, str]
) -> None:
    refused(CredentialFacts(account=msgspec.structs.replace(account, **changed)))


@given(exposed=st.lists(SOURCES, min_size=1, max_size=4), simulated=st.booleans())
def test_nothing_is_cleared_while_anything_reached_the_child(
    exposed: list[CredentialSource], simulated: bool
) -> None:
    facts = CredentialFacts(account=TOKEN, exposed=tuple(exposed), simulated=simulated)
    assert refused(facts, "simulator" if simulated else "plan").wallet == "unknown"


def limit(overage: bool | None) -> LimitSeen:
    reading = LimitReading(
        window="five_hour", status="rejected", source="rate_limit_event", read_at="2026-11-20T00:00:00Z"
    )
    return LimitSeen(limit=reading, overage=overage)


def started(api_key_source: str | None) -> Started:
    return Started(run_id="r", provider="claude-cli", model=None, cwd="/", api_key_source=api_key_source)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (limit(True), "billing.overage"),
        (limit(False), None),
        (limit(None), None),
        (started("ANTHROPIC_API_KEY"), "billing.misbilled"),
        (started("/login managed key"), "billing.misbilled"),
        (started("none"), None),
        (started(None), None),
        (Progress(state="requesting"), None),
    ],
)
def test_an_event_that_shows_another_wallet_stops_the_run(event: Event, code: str | None) -> None:
    alarm = judge_during(event)
    assert (alarm.code if alarm is not None else None) == code
    if alarm is not None:
        assert exit_code(alarm.code) == 4
        assert alarm.hint is not None


def test_the_alarms_say_what_was_seen_and_what_to_do() -> None:
    overage, misbilled = judge_during(limit(True)), judge_during(started("ANTHROPIC_API_KEY"))
    assert overage is not None
    assert overage.message == (
        "The plan's limit is reached and extra, paid usage was being spent: the run was stopped\n"
        "  the server reported overage (window `five_hour`, status `rejected`)"
    )
    assert overage.hint == "Check the limit and switch off extra usage: `claude`, then `/usage`"
    assert misbilled is not None
    assert misbilled.message == (
        "A wallet other than the plan was paying: `ANTHROPIC_API_KEY`\n"
        "  the official CLI named this key source when it took the prompt; the run was stopped"
    )
    assert misbilled.hint == "See which source takes precedence and where it is: `oneseat doctor`"


@pytest.mark.parametrize(
    ("sent", "source_said", "overage", "expected"),
    [
        (False, "none", False, "nothing_sent"),
        (False, None, None, "nothing_sent"),
        (True, "none", False, "verified"),
        (True, "none", None, "unverified"),
        (True, None, False, "unverified"),
        (True, None, None, "unverified"),
        (True, "none", True, "misbilled"),
        (True, None, True, "misbilled"),
        (True, "ANTHROPIC_API_KEY", False, "misbilled"),
    ],
)
def test_what_a_run_proves(
    sent: bool, source_said: str | None, overage: bool | None, expected: Verdict
) -> None:
    event = started(source_said) if source_said is not None else None
    assert verdict(sent=sent, started=event, overage=overage) == expected


@pytest.mark.parametrize(
    ("gate", "sent", "source_said", "overage", "wallet", "charged"),
    [
        ("plan", True, "none", False, "plan", 0.0),
        ("plan", True, "none", None, "plan", None),
        ("plan", False, None, None, "plan", 0.0),
        ("plan", True, "none", True, "plan_overage", 0.25),
        ("plan", True, "ANTHROPIC_API_KEY", None, "api_key", 0.25),
        ("simulator", True, "none", False, "simulator", 0.0),
        ("simulator", True, "none", True, "simulator", 0.0),
    ],
)
def test_the_receipt_names_the_wallet_that_paid_and_never_invents_a_charge(
    gate: Wallet,
    sent: bool,
    source_said: str | None,
    overage: bool | None,
    wallet: Wallet,
    charged: float | None,
) -> None:
    evidence = (Evidence("account.apiProvider", "firstParty", "before"),)
    finding = conclude(
        expected=gate,
        before=Cleared(budgeted=BUDGETED, wallet=gate, evidence=evidence),
        sent=sent,
        started=started(source_said) if source_said is not None else None,
        overage=overage,
    )
    assert finding.wallet == wallet
    assert finding.charged(0.25) == charged
    assert finding.evidence[:1] == evidence
    assert (Evidence("rate_limit.overage", overage, "during") in finding.evidence) is sent
    assert (Evidence("init.apiKeySource", source_said, "during") in finding.evidence) is sent


def test_a_run_that_never_reached_the_gate_has_an_unknown_wallet_and_cost_nothing() -> None:
    finding = conclude(expected="plan", before=None, sent=False, started=None, overage=None)
    assert (finding.wallet, finding.verdict, finding.evidence) == ("unknown", "nothing_sent", ())
    assert finding.charged(None) == 0.0


def test_a_misbilled_run_of_unknown_size_has_an_unknown_charge() -> None:
    finding = conclude(expected="plan", before=None, sent=True, started=None, overage=True)
    assert finding.charged(None) is None
