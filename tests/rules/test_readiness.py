"""Facts to findings: whatever was seen, each danger is named once, in the CLI's order, with one fix."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import Account, CredentialFacts, CredentialSource, LoginFacts, Scope, SourceKind
from oneseat.contract.reports.doctor import Observations, OpenFile, Report
from oneseat.rules.doctor import assess

NOW_MS = 1_795_000_000_000
HOUR_MS = 3_600_000
TOKEN = LoginFacts(kind="token", place="CLAUDE_CODE_OAUTH_TOKEN")
STORED = LoginFacts(kind="file", place="/own/.claude/.credentials.json", mode=0o600)
KEY_WINS = ErrorInfo(code="billing.api_key_wins", message="a key would pay", hint="take `it` out")
MISSING = ErrorInfo(code="provider.not_found", message="no CLI", hint="install `it`")
UNWRITABLE = ErrorInfo(code="usage.home_unwritable", message="cannot write", hint="choose `another`")
HINTLESS = ErrorInfo(code="bug.unexpected", message="who knows")


def observed(**changes: Any) -> Report:
    """The report of a machine where all is well, but for these changes."""
    well = Observations(
        cli_path="/bin/claude",
        cli_version="2.1.329",
        tested=("2.1.329", "2.1.332"),
        beyond_tested=False,
        logins=(TOKEN,),
        found=(),
        proxies=(),
        passed=(),
        settings_file="/own/oneseat.toml",
        facts=CredentialFacts(account=Account()),
        failure=None,
        refusal=None,
        wallet="plan",
        folders=("/own/oneseat",),
        folder_failure=None,
        open_files=(),
        simulator=None,
        now_ms=NOW_MS,
    )
    return assess(msgspec.structs.replace(well, **changes))


def source(name: str, kind: SourceKind, scope: Scope = "environment", place: str = "") -> CredentialSource:
    return CredentialSource(name=name, kind=kind, scope=scope, place=place or scope)


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_all_is_well() -> None:
    report = observed()
    assert (report.ready, report.exit_code, codes(report)) == (True, 0, ["ready.wallet"])
    assert [(row.name, row.effect) for row in report.sources] == [("login (token)", "pays")]


@pytest.mark.parametrize(
    ("errors", "exit_code"),
    [
        ({"refusal": KEY_WINS}, 3),
        ({"failure": MISSING}, 7),
        ({"folder_failure": UNWRITABLE}, 2),
        ({"refusal": KEY_WINS, "folder_failure": UNWRITABLE}, 2),
        ({"failure": HINTLESS}, 1),
    ],
)
def test_a_problem_decides_the_exit_code_and_always_has_a_fix(
    errors: dict[str, ErrorInfo], exit_code: int
) -> None:
    report = observed(**errors)
    problems = [finding for finding in report.findings if finding.level == "problem"]
    assert (report.ready, report.exit_code) == (False, exit_code)
    assert {problem.code for problem in problems} == {error.code for error in errors.values()}
    assert all(problem.fix for problem in problems)
    assert ("ready.wallet" in codes(report)) is ("folder_failure" in errors and len(errors) == 1)


def test_what_pays_is_only_claimed_where_the_cli_was_asked_and_the_gate_agreed() -> None:
    logins = (TOKEN, STORED)
    effects = {
        name: [row.effect for row in observed(logins=logins, **changes).sources]
        for name, changes in {
            "well": {},
            "refused": {"refusal": KEY_WINS},
            "no CLI": {"failure": MISSING},
        }.items()
    }
    assert effects == {
        "well": ["pays", "is ignored"],
        "refused": ["is ignored", "is ignored"],
        "no CLI": ["would win", "is ignored"],
    }
    assert observed(logins=(LoginFacts(kind="none", place="/own/.claude"),)).sources == ()


#: Pairs that were measured: the CLI takes the first of them when it has both.
MEASURED = [
    ("cloud", "api_key"),
    ("cloud", "auth_token"),
    ("api_key", "key_helper"),
    ("api_key", "auth_token"),
    ("key_helper", "auth_token"),
    ("auth_token", "oauth_token"),
    ("api_key", "oauth_token"),
    ("mode", "oauth_token"),
    ("oauth_token", "login"),
]


@pytest.mark.parametrize(("stronger", "weaker"), MEASURED)
def test_the_sources_are_in_the_clis_order(stronger: SourceKind, weaker: SourceKind) -> None:
    for order in itertools.permutations([source("A", weaker), source("B", stronger)]):
        assert [row.kind for row in observed(found=order, logins=()).sources] == [stronger, weaker]


def test_settings_come_before_the_environment() -> None:
    scopes: tuple[Scope, ...] = (
        "environment",
        "user_settings",
        "project_settings",
        "local_settings",
        "dotenv",
    )
    report = observed(
        found=tuple(source("ANTHROPIC_API_KEY", "api_key", scope) for scope in scopes), logins=()
    )
    assert [row.place for row in report.sources] == [
        "local_settings",
        "project_settings",
        "user_settings",
        "environment",
        "dotenv",
    ]


def test_what_reached_the_cli_would_win_and_is_listed_once() -> None:
    twice = (
        source("ANTHROPIC_API_KEY", "api_key", "managed_settings", "/etc/claude-code/managed-settings.json"),
        source("ANTHROPIC_API_KEY", "api_key", "managed_settings", "managed settings"),
    )
    facts = CredentialFacts(account=Account(), exposed=twice)
    (row, login) = observed(facts=facts, refusal=KEY_WINS).sources
    assert (row.effect, row.place) == ("would win", "/etc/claude-code/managed-settings.json")
    assert login.effect == "is ignored"


@pytest.mark.parametrize(
    "entry", [*CLAUDE_NAMES.variables, *CLAUDE_NAMES.settings], ids=lambda entry: entry.name
)
def test_every_name_says_what_it_does(entry: Any) -> None:
    finding = observed(found=(source(entry.name, entry.kind),)).findings[0]
    assert (finding.level, finding.code) == ("warning", "source.kept")
    assert finding.message.startswith(f"`{entry.name}` in your environment: {entry.effect}\n")
    assert finding.fix == f"If nothing else needs it: `unset {entry.name}`"


def test_a_name_in_a_file_is_taken_out_of_that_file() -> None:
    finding = observed(found=(source("apiKeyHelper", "key_helper", "user_settings", "/s.json"),)).findings[0]
    assert "in `/s.json`: a command that prints an API key" in finding.message
    assert finding.fix == "If nothing else needs it: remove `apiKeyHelper` from `/s.json`"


def test_a_dotenv_file_is_not_read_by_the_cli() -> None:
    report = observed(found=(source("ANTHROPIC_API_KEY", "api_key", "dotenv", "/w/.env"),))
    assert codes(report) == ["ready.wallet", "source.ignored"]
    assert report.sources[0].effect == "is ignored"


def test_a_file_that_cannot_be_understood_may_hold_anything() -> None:
    finding = observed(found=(source("s.json", "unreadable", "user_settings", "/s.json"),)).findings[0]
    assert (finding.level, finding.fix) == ("warning", "Repair or remove `/s.json`")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"expires_at_ms": NOW_MS - 1}, [("warning", "login.expired")]),
        ({"expires_at_ms": NOW_MS + 90 * 60_000}, [("ok", "login.expires_soon")]),
        ({"expires_at_ms": NOW_MS + 25 * HOUR_MS}, []),
        ({"mode": 0o640}, [("warning", "login.open")]),
        ({"mode": 0o400}, []),
        ({"scopes": ("user:profile",)}, [("warning", "login.no_inference")]),
        ({"scopes": ("user:inference", "user:profile")}, []),
        ({"scopes": ()}, []),
        ({"kind": "none", "problem": "it is not JSON"}, [("warning", "login.unreadable")]),
    ],
)
def test_a_login_is_looked_at_from_outside(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    report = observed(logins=(msgspec.structs.replace(STORED, **changes),))
    assert [(it.level, it.code) for it in report.findings if it.code != "ready.wallet"] == expected
    assert report.ready


def test_the_time_that_is_left_is_told() -> None:
    report = observed(logins=(msgspec.structs.replace(STORED, expires_at_ms=NOW_MS + 90 * 60_000),))
    assert "valid for 1.5 h" in report.findings[-1].message


def test_one_line_of_settings_passes_all_proxies_and_what_was_passed_before() -> None:
    report = observed(proxies=("HTTPS_PROXY", "NO_PROXY"), passed=("LC_TIME",))
    (finding,) = [it for it in report.findings if it.code == "environment.proxy"]
    assert finding.fix == (
        'Add to `/own/oneseat.toml`: `claude.pass_environment = ["LC_TIME", "HTTPS_PROXY", "NO_PROXY"]`'
    )
    assert "environment.proxy" not in codes(
        observed(proxies=("HTTPS_PROXY",), simulator="http://127.0.0.1:1")
    )


def test_an_untested_cli_an_open_file_and_a_simulator_are_mentioned() -> None:
    report = observed(
        beyond_tested=True,
        cli_version="9.0.0",
        open_files=(OpenFile(path="/f", mode=0o644, fix="chmod 600 /f"),),
        simulator="http://127.0.0.1:1",
    )
    assert codes(report) == ["cli.untested", "folder.open", "ready.wallet", "simulator.on"]
    assert [finding.fix for finding in report.findings[1::2]] == [
        "`chmod 600 /f`",
        "`unset ONESEAT_SIMULATOR_URL` for real runs",
    ]
    assert "mode 644" in report.findings[1].message


SOURCES = st.builds(
    source,
    st.sampled_from([entry.name for entry in CLAUDE_NAMES.variables] + ["settings.json"]),
    st.sampled_from(get_args(SourceKind)),
    st.sampled_from(get_args(Scope)),
    st.sampled_from(["environment", "/a", "/b"]),
)


@given(
    found=st.lists(SOURCES, max_size=6, unique=True),
    exposed=st.lists(SOURCES, max_size=4),
    refusal=st.sampled_from([None, KEY_WINS]),
)
def test_whatever_was_found_is_listed_and_explained(
    found: list[CredentialSource], exposed: list[CredentialSource], refusal: ErrorInfo | None
) -> None:
    facts = CredentialFacts(account=Account(), exposed=tuple(exposed))
    report = observed(found=tuple(found), facts=facts, refusal=refusal)
    assert {(it.name, it.place) for it in found} <= {(row.name, row.place) for row in report.sources}
    assert {it.name for it in exposed} <= {row.name for row in report.sources}
    assert codes(report).count("source.kept") + codes(report).count("source.ignored") == len(found)
    assert all(finding.fix for finding in report.findings if finding.level != "ok")
    assert report.exit_code == (3 if refusal else 0)
