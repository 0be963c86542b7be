"""Every ``--json`` output, frozen as a shape: a program that reads one must find the same keys, types and words tomorrow.

After a change that is meant: ``UPDATE_SNAPSHOTS=1 make test ARGS=tests/cli/test_json_shapes.py``, then read the diff.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from oneseat.app.usage import VIEWS
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.reports.policy import SECTIONS
from oneseat.stores.policy.pack import bundled_data
from oneseat.testing import Behaviour, Simulator
from oneseat.testing.corpus import write_corpus
from tests.e2e.driving import SDKS, Seat, fake_seat
from tests.e2e.projects import ask, with_project
from tests.e2e.reports.test_doctor import dirty, real_life
from tests.e2e.reports.test_limits import fill_ledger, report
from tests.e2e.reports.test_usage_check import add_run, add_session, add_transcript, reading
from tests.e2e.serving import serving
from tests.stores.making import make_request, make_result, make_writer

from .shapes import check_shape

SURE = "I have asked, and it is mine to use"
DAYS = ("--since", "2026-10-22", "--until", "2026-11-19")
KEY = """
[keys.paid]
provider = "anthropic"
env = "MY_KEY"
"""
WALLETS = f"""{KEY}
[fallback]
to = ["paid"]
[roles.fast]
candidates = [{{ provider = "claude-cli" }}, {{ key = "paid" }}]
[limits]
pause_at_percent = 90
[budget]
day_usd = 5.0
[clients.acme]
work_of = "client"
month_budget_usd = 20.0
"""


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    """A seat whose CLI answers at once."""
    seat, _ = fake_seat(tmp_path, "ok")
    seat.env["TZ"] = "UTC"
    return seat


@pytest.fixture
def bare_seat(tmp_path: Path) -> Seat:
    """A seat without a CLI, whose ledger the test writes."""
    seat = Seat(tmp_path, tmp_path / "no-claude")
    seat.env["TZ"] = "UTC"
    seat.ledger.parent.mkdir(parents=True)
    return seat


def settings(seat: Seat, text: str) -> None:
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


# --- Runs ---


def test_run(seat: Seat) -> None:
    check_shape("run", seat.run("run", "--json", "say ok"))
    check_shape("run-refused", seat.run("run", "--json", "say ok", "--for", "Ana"))
    check_shape("run-no-prompt", seat.run("run", "--json", stdin=b""))


def test_run_with_a_session_limits_and_events_of_the_real_cli(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = with_project(Seat(tmp_path, claude_path, simulator))
    check_shape("run-project", seat.run("run", "--project", "shop", "--json", "hi"))
    check_shape("run-events", seat.run("run", "--project", "shop", "--stream-json", "hi"))
    run, *_ = seat.runs()
    check_shape("show-events", seat.run("show", "--events", run["id"]))
    check_shape("limits-simulated", seat.run("limits", "--json"))


def test_run_that_fails(seat: Seat, tmp_path: Path) -> None:
    seat.env["ONESEAT_CLAUDE_PATH"] = str(tmp_path / "nowhere")
    check_shape("run-no-cli", seat.run("run", "--json", "say ok"))
    check_shape("run-no-cli-events", seat.run("run", "--stream-json", "say ok"))


def test_log_and_show(bare_seat: Seat) -> None:
    check_shape("log-empty", bare_seat.run("log", "--json"))
    writer = make_writer(bare_seat.ledger)
    writer.begin("aaaaaaaaaaaa", make_request(), "claude-cli")
    writer.finish(make_result("aaaaaaaaaaaa"))
    writer.begin("bbbbbbbbbbbb", make_request(model=None), "claude-cli")
    error = ErrorInfo(code="provider.overloaded", message="Overloaded", hint="Wait", retry_after_s=2.0)
    writer.finish(make_result("bbbbbbbbbbbb", error=error))
    writer.begin("cccccccccccc", make_request(), "claude-cli")
    writer.close()
    check_shape("log", bare_seat.run("log", "--json"))
    for name, run in (("completed", "aaaa"), ("failed", "bbbb"), ("interrupted", "cccc")):
        check_shape(f"show-{name}", bare_seat.run("show", "--json", run))
    check_shape("show-unknown", bare_seat.run("show", "--json", "dddd"))


def test_sessions(tmp_path: Path) -> None:
    seat = with_project(fake_seat(tmp_path, "ok")[0])
    check_shape("sessions-list-empty", seat.run("sessions", "list", "--json"))
    ask(seat, "one")
    check_shape("sessions-list", seat.run("sessions", "list", "--json"))
    check_shape("sessions-show", seat.run("sessions", "show", "shop", "--json"))
    check_shape("sessions-end", seat.run("sessions", "end", "shop", "--json"))
    check_shape("sessions-list-all", seat.run("sessions", "list", "--all", "--json"))
    check_shape("sessions-end-nothing", seat.run("sessions", "end", "shop", "--json"))


def test_route(seat: Seat) -> None:
    seat.loads = SDKS
    settings(seat, WALLETS)
    seat.env["MY_KEY"] = "sk-ant-api03-made-up"
    check_shape("route", seat.run("route", "--json", "hi"))
    check_shape("route-role", seat.run("route", "--json", "--explain", "--role", "fast", "hi"))
    check_shape("route-refused", seat.run("route", "--json", "--for", "Ana", "--key", "paid", "hi"))
    seat.env["ONESEAT_CLAUDE_PATH"] = "/nowhere/claude"
    settings(seat, "")
    check_shape("route-nobody", seat.run("route", "--json", "hi"))


# --- Sums ---


def test_usage(tmp_path: Path) -> None:
    seat = Seat(tmp_path, tmp_path / "no-claude")
    seat.env["TZ"] = "UTC"
    check_shape("usage-empty", seat.run("usage", "--json"))
    seat.env["CLAUDE_CONFIG_DIR"] = ",".join(map(str, write_corpus(tmp_path / "corpus").roots))
    add_run(seat, "aaaaaaaaaaaa")
    for view in VIEWS:
        check_shape(f"usage-{view}", seat.run("usage", view, "--json"))
    check_shape("advise", seat.run("advise", *DAYS, "--json"))
    check_shape(
        "advise-little", seat.run("advise", "--since", "2026-11-18", "--until", "2026-11-19", "--json")
    )
    check_shape(
        "advise-nothing", seat.run("advise", "--since", "2020-01-01", "--until", "2020-01-02", "--json")
    )


def test_usage_check(bare_seat: Seat) -> None:
    check_shape("usage-check-empty", bare_seat.run("usage", "--check", "--json"))
    add_run(bare_seat, "aaaaaaaaaaaa")
    add_run(bare_seat, "bbbbbbbbbbbb", verdict="misbilled", wallet="plan_overage", cost_usd=0.3)
    add_run(bare_seat, "cccccccccccc", verdict="unverified")
    add_run(bare_seat, "dddddddddddd", verdict="unverified", usage=TokenUsage(), equivalent_cost_usd=None)
    add_run(bare_seat, "eeeeeeeeeeee", equivalent_cost_usd=0.9)
    add_run(bare_seat, "ffffffffffff", events=(reading(0.1, "13:00"), reading(0.45, "14:30")))
    add_session(bare_seat)
    add_transcript(bare_seat, datetime(2026, 11, 19, 9, tzinfo=UTC))
    check_shape("usage-check", bare_seat.run("usage", "--check", "--json"))


def test_limits(bare_seat: Seat) -> None:
    check_shape("limits-empty", bare_seat.run("limits", "--json"))
    settings(bare_seat, WALLETS)
    now = time.time()
    fill_ledger(
        bare_seat.ledger,
        report(0.2, ago=3600, now=now),
        report(0.4, now=now),
        report(0.5, now=now, window="seven_day", overage=True),
        report(None, now=now, window="seven_day_opus", resets_at=None),
    )
    del bare_seat.env["ONESEAT_SIMULATOR_URL"]
    check_shape("limits", bare_seat.run("limits", "--json"))


def test_limits_with_tokens_counted_here(tmp_path: Path) -> None:
    seat = real_life(fake_seat(tmp_path, "ok")[0])
    seat.env["TZ"] = "UTC"
    add_transcript(seat, datetime.now(UTC))
    check_shape("limits-refreshed", seat.run("limits", "--refresh", "--json"))


# --- This machine ---


def test_doctor(tmp_path: Path, codex_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    check_shape("doctor", seat.run("doctor", "--json"))
    dirty(seat)
    seat.env["ONESEAT_CODEX_PATH"] = str(codex_path)
    check_shape("doctor-dirty", seat.run("doctor", "--json"))
    del seat.env["ONESEAT_CODEX_PATH"]  # without a simulator, only a fake CLI is sure to reach nobody
    check_shape("doctor-real-login", real_life(seat).run("doctor", "--json"))


@pytest.mark.parametrize("behaviour", ["signed-out", "dies-at-start"])
def test_doctor_that_finds_a_problem(behaviour: str, tmp_path: Path) -> None:
    check_shape(f"doctor-{behaviour}", fake_seat(tmp_path, behaviour)[0].run("doctor", "--json"))


def test_doctor_without_a_cli(bare_seat: Seat) -> None:
    check_shape("doctor-no-cli", bare_seat.run("doctor", "--json"))


def test_canary(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(version="9.0.0"))
    settings(seat, "watchdog.start_s = 1\n")
    check_shape("doctor-canary", seat.run("doctor", "--canary", "--json"))
    check_shape("doctor-after-canary", seat.run("doctor", "--json"))


def test_status(tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    check_shape("status", seat.run("status", "--json"))
    with serving(seat):
        seat.run("run", "--quiet", "hi")
        ended = seat.run("status", "--json")
        while not ended.result["server"]["warm"]:  # the next process is still starting
            ended = seat.run("status", "--json")
        check_shape("status-serving", ended)


def test_config(seat: Seat) -> None:
    check_shape("config-check-empty", seat.run("config", "check", "--json"))
    settings(seat, WALLETS)
    check_shape("config-check", seat.run("config", "check", "--json"))
    check_shape("config-show", seat.run("config", "show", "--json"))
    settings(seat, "modle = 3\n[budget]\nday_usd = -1\n")
    check_shape("config-check-wrong", seat.run("config", "check", "--json"))
    check_shape("config-show-wrong", seat.run("config", "show", "--json"))


def test_keys(seat: Seat) -> None:
    check_shape("key-list-empty", seat.run("key", "list", "--json"))
    settings(seat, f'{KEY}\n[keys.gone]\nprovider = "openai"\nfile = "/nowhere/key"\n')
    check_shape("key-list", seat.run("key", "list", "--json"))


# --- Policy ---


def test_policy_show(seat: Seat) -> None:
    check_shape("policy-show", seat.run("policy", "show", "--json"))
    check_shape("policy-show-rule", seat.run("policy", "show", "R1", "--json"))
    check_shape("policy-show-unknown", seat.run("policy", "show", "R999", "--json"))
    for section in SECTIONS:
        check_shape(f"policy-show-{section}", seat.run("policy", "show", section, "--json"))


def test_policy_explain_and_confirm(seat: Seat) -> None:
    def confirm(name: str, *arguments: str) -> dict[str, str]:
        ended = seat.run("policy", "confirm", "--json", *arguments)
        check_shape(f"policy-confirm-{name}", ended)
        said: dict[str, str] = ended.result
        return said

    settings(seat, WALLETS)
    work = ("--work-of", "client", "--client", "acme")
    check_shape("policy-explain", seat.run("policy", "explain", "--json"))
    check_shape("policy-explain-red", seat.run("policy", "explain", "--for", "Ana", "--json"))
    check_shape("policy-explain-grey", seat.run("policy", "explain", *work, "--json"))
    confirm("list-empty", "--list")
    said = confirm("one", "Y5", "work_owner=client", "--client", "acme", "--i-confirm", SURE)
    check_shape("policy-explain-confirmed", seat.run("policy", "explain", *work, "--json"))
    confirm("list", "--list")
    confirm("revoked", "--revoke", said["id"])


@pytest.mark.parametrize(
    ("name", "change"),
    [("same", lambda _: None), ("looser", lambda pack: pack["rules"].pop(0))],
)
def test_policy_packs(name: str, change: Callable[[dict[str, list[object]]], None], seat: Seat) -> None:
    pack = json.loads(bundled_data())
    pack["meta"]["pack_version"] = "2026.11.21"
    change(pack)
    file = seat.root / "pack.json"
    file.write_text(json.dumps(pack), "utf-8")
    check_shape(f"policy-check-{name}", seat.run("policy", "check", str(file), "--json"))
    check_shape(f"policy-update-{name}", seat.run("policy", "update", str(file), "--json"))
    check_shape(
        f"policy-update-{name}-confirmed",
        seat.run("policy", "update", str(file), "--json", "--i-confirm", SURE),
    )
    check_shape(f"policy-bundled-{name}", seat.run("policy", "update", "--bundled", "--json"))
