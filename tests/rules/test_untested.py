"""What is said of a CLI that does not pass its trial."""

from __future__ import annotations

from oneseat.contract.errors import exit_code
from oneseat.contract.reports.compat import Assumption, CanaryReport, CliFile
from oneseat.contract.reports.doctor import CheckupFinding, Observations
from oneseat.rules.compat import refusal
from oneseat.rules.doctor import assess

CLI = CliFile(path="/opt/claude", size=1, changed_ns=1)


def report(*broken: str) -> CanaryReport:
    """A trial in which these do not hold."""
    assumptions = tuple(
        Assumption(name=name, expected=f"{name} works", seen=f"{name} is gone", holds=name not in broken)
        for name in ("one", "two", "three")
    )
    return CanaryReport(cli=CLI, version="2.2.0", tried_at_ms=0, duration_ms=1, assumptions=assumptions)


def test_a_cli_that_passed_is_used() -> None:
    assert refusal(report(), "2.1.329") is None


def test_a_cli_that_did_not_is_refused_by_name() -> None:
    error = refusal(report("two", "three"), "2.1.329")
    assert error is not None
    assert (error.code, exit_code(error.code), error.whose_turn) == ("provider.untested_cli", 7, "you")
    assert error.message == (
        "The official CLI breaks an assumption of oneseat: `2.2.0`\n"
        "  `two`: two works\n  seen: two is gone\n  broken too: `three`"
    )
    assert error.hint == (
        "Install a tested version: `npm install -g @anthropic-ai/claude-code@2.1.329`, "
        "or check this one again: `oneseat doctor --canary`"
    )


def findings(canary: CanaryReport | None, *, beyond: bool, refused: bool = False) -> list[CheckupFinding]:
    """What the doctor says of a machine on which only the CLI is remarkable."""
    seen = Observations(
        cli_path="/opt/claude",
        cli_version="2.2.0",
        tested=("2.1.329", "2.1.332"),
        beyond_tested=beyond,
        logins=(),
        found=(),
        proxies=(),
        passed=(),
        settings_file="/home/me/oneseat.toml",
        facts=None,
        failure=None,
        refusal=None,
        wallet="plan",
        folders=(),
        folder_failure=None,
        open_files=(),
        simulator=None,
        now_ms=0,
        canary=canary,
        canary_refusal=refusal(canary, "2.1.329") if refused and canary is not None else None,
    )
    return [finding for finding in assess(seen).findings if finding.code != "ready.wallet"]


def test_the_doctor_advises_to_try_what_nobody_tested() -> None:
    (finding,) = findings(None, beyond=True)
    assert (finding.level, finding.code) == ("warning", "cli.untested")
    assert finding.fix == "Check it on the simulator: `oneseat doctor --canary`"
    assert findings(None, beyond=False) == []


def test_the_doctor_is_content_with_a_trial_that_passed() -> None:
    assert findings(report(), beyond=True) == []


def test_the_doctor_calls_it_a_problem_when_runs_refuse_and_a_warning_when_they_do_not() -> None:
    (problem,) = findings(report("two"), beyond=True, refused=True)
    (warning,) = findings(report("two"), beyond=True)
    assert (problem.level, problem.code) == ("problem", "provider.untested_cli")
    assert (warning.level, warning.code) == ("warning", "cli.broken_assumption")
    assert "`two`" in warning.message
