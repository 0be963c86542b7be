"""The policy through the real command: who is refused, what nothing is sent for, what the owner can say, and other packs."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oneseat
from oneseat.contract.reports.policy import SECTIONS
from oneseat.contract.request import Purpose
from oneseat.stores.policy.pack import bundled_data
from oneseat.testing import FakeCli, Simulator
from tests.e2e.driving import Seat, fake_seat, live_in
from tests.e2e.projects import with_project

SURE = "I have asked, and it is mine to use"


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    return Seat(tmp_path, claude_path, simulator)


@pytest.fixture
def fake(tmp_path: Path) -> tuple[Seat, FakeCli]:
    """A seat whose CLI answers at once: a decision is made before there is one."""
    return fake_seat(tmp_path, "ok")


@pytest.fixture
def quick_seat(fake: tuple[Seat, FakeCli]) -> Seat:
    return fake[0]


def settings(seat: Seat, text: str) -> None:
    folder = seat.home / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "oneseat.toml").write_text(text, "utf-8")


def explained(seat: Seat, *arguments: str) -> dict[str, Any]:
    ended = seat.run("policy", "explain", "--json", *arguments)
    assert ended.code == 0, ended
    return ended.result


def pack_file(seat: Seat, change: Callable[[dict[str, Any]], None]) -> str:
    """The bundled pack with a change, as a file."""
    pack = json.loads(bundled_data())
    pack["meta"]["pack_version"] = "2026.11.21"
    change(pack)
    path = seat.root / "pack.json"
    path.write_text(json.dumps(pack), "utf-8")
    return str(path)


def rule_in(pack: dict[str, Any], name: str) -> dict[str, Any]:
    return next(rule for rule in pack["rules"] if rule["id"] == name)


@pytest.mark.parametrize(
    ("options", "code", "rule"),
    [
        (("--for", "Ana"), "policy.red", "R1"),
        (("--reader", "customers"), "policy.red", "R3"),
        (("--work-of", "employer", "--reader", "published"), "policy.grey", "Y5"),
        (("--for", "unknown"), "policy.grey", "Y13"),
        # As a script writes it whose variable is empty.
        (("--for", " "), "policy.grey", "Y13"),
        (("--for", ""), "policy.grey", "Y13"),
    ],
)
def test_what_the_plan_may_not_serve_is_refused_and_nothing_is_sent(
    options: tuple[str, ...], code: str, rule: str, seat: Seat, simulator: Simulator
) -> None:
    ended = seat.run("run", "say ok", "--json", *options)
    result = ended.result
    assert (ended.code, result["status"], result["error"]["code"]) == (3, "refused", code)
    assert result["receipt"]["policy"]["rule"] == rule
    assert (result["receipt"]["verdict"], result["receipt"]["attempts"]) == ("nothing_sent", 0)
    assert simulator.requests() == []


def test_ones_own_work_goes_to_the_plan_as_ever(quick_seat: Seat) -> None:
    options = ("--for", "automation", "--reader", "reviewed", "--work-of", "me")
    result = quick_seat.run("run", "say ok", "--json", *options).result
    assert (result["status"], result["receipt"]["policy"]["tier"]) == ("completed", "GREEN")


def test_every_decision_is_stored_with_its_inputs(quick_seat: Seat) -> None:
    done = quick_seat.run("run", "say ok", "--json").result
    refused = quick_seat.run("run", "say ok", "--json", "--for", "Ana").result
    with contextlib.closing(sqlite3.connect(quick_seat.ledger)) as db, db:
        rows = db.execute(
            "SELECT policy_tier, policy_rule, policy_pack, policy_inputs FROM runs ORDER BY created_at"
        ).fetchall()
    assert [row[:3] for row in rows] == [("GREEN", "Y1", "2026.11.20"), ("RED", "R1", "2026.11.20")]
    inputs = [json.loads(row[3]) for row in rows]
    assert (inputs[0]["plan"], inputs[0]["token_handling"]) == ("paid_unnamed", "env_setup_token_by_owner")
    assert (inputs[1]["request_author"], inputs[1]["plan"]) == ("other_human", "unknown")
    shown = quick_seat.run("show", done["run_id"]).stdout
    assert "token_handling=env_setup_token_by_owner" in shown
    assert "request_author=other_human" in quick_seat.run("show", refused["run_id"]).stdout
    assert quick_seat.run("show", refused["run_id"], "--json").result["policy_inputs"] == inputs[1]


def test_the_settings_say_what_a_project_and_a_client_are_for(seat: Seat, simulator: Simulator) -> None:
    with_project(seat, **{"for": "Ana"})
    path = seat.home / "config" / "oneseat.toml"
    path.write_text(path.read_text() + '\n[clients.acme]\nreader = "me"\n[clients.shop]\nfor = "Ben"\n')
    rules: dict[tuple[str, ...], str] = {
        ("--project", "shop"): "R1",
        ("--project", "shop", "--for", "me"): "G1",
        ("--client", "acme"): "Y5",
        ("--client", "acme", "--work-of", "me"): "G1",
        ("--client", "shop", "--project", "shop"): "R1",
    }
    for options, rule in rules.items():
        assert explained(seat, *options)["rule"] == rule, options
    assert seat.run("run", "hi", "--project", "shop").code == 3
    assert seat.run("run", "hi", "--client", "acme").code == 3
    assert simulator.requests() == []
    unknown = seat.run("run", "hi", "--client", "acne")
    assert (unknown.code, "usage.unknown_client" in unknown.stderr) == (2, True)
    assert "`--client acme`" in unknown.stderr


async def test_the_library_takes_a_purpose_and_a_client(
    seat: Seat, monkeypatch: pytest.MonkeyPatch, simulator: Simulator
) -> None:
    settings(seat, '[clients.acme]\nwork_of = "client"\n')
    live_in(seat, monkeypatch)
    async with oneseat.connect() as app:
        stated = await app.run(oneseat.make_request("hi", purpose=Purpose(reader="customers")))
        client = await app.run(oneseat.make_request("hi", client="acme"))
    assert [run.error and run.error.code for run in (stated, client)] == ["policy.red", "policy.grey"]
    assert client.error is not None
    assert client.error.hint is not None
    assert "Y5 work_owner=client --client acme`" in client.error.hint
    assert simulator.requests() == []


def test_the_owner_confirms_a_class_of_work_in_writing_and_takes_it_back(quick_seat: Seat) -> None:
    settings(quick_seat, '[clients.acme]\nwork_of = "client"\n')
    refused = quick_seat.run("run", "hi", "--client", "acme", "--json").result
    command = refused["error"]["hint"].split("`")[1].split()[1:]
    assert command == ["policy", "confirm", "Y5", "work_owner=client", "--client", "acme"]
    said = quick_seat.run(*command, "--i-confirm", SURE, "--json").result
    assert (said["rule"], said["client"], said["text"], said["counts"]) == ("Y5", "acme", SURE, True)
    file = quick_seat.home / "config" / "policy-word.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    done = quick_seat.run("run", "hi", "--client", "acme", "--json").result
    assert done["status"] == "completed"
    assert done["receipt"]["policy"] == {
        "tier": "GREY",
        "rule": "Y5",
        "pack": "2026.11.20",
        "confirmed": said["at"],
        "expires": None,
    }
    assert quick_seat.run("run", "hi", "--work-of", "client").code == 3
    listed = quick_seat.run("policy", "confirm", "--list", "--json").result["confirmations"]
    assert [each["id"] for each in listed] == [said["id"]]
    assert quick_seat.run("policy", "confirm", "--revoke", said["id"]).code == 0
    assert quick_seat.run("run", "hi", "--client", "acme").code == 3


def test_what_is_no_confirmation_is_not_written_down(seat: Seat) -> None:
    for arguments, code in (
        (("Y5", "work_owner=client", "--i-confirm", "yes"), "usage.not_confirmed"),
        (("Y5", "work_owner=client"), "usage.not_confirmed"),
        ((), "usage.arguments"),
    ):
        ended = seat.run("policy", "confirm", *arguments)
        assert (ended.code, f"code {code}" in ended.stderr) == (2, True), ended
    assert not (seat.home / "config" / "policy-word.json").exists()


def test_a_run_cannot_confirm_for_its_owner(seat: Seat) -> None:
    seat.env["ONESEAT_DEPTH"] = "1"
    ended = seat.run("policy", "confirm", "Y5", "work_owner=client", "--i-confirm", SURE)
    assert (ended.code, "code usage.not_confirmed" in ended.stderr) == (2, True), ended
    assert not (seat.home / "config" / "policy-word.json").exists()


def test_a_stricter_pack_is_taken_as_it_is(fake: tuple[Seat, FakeCli]) -> None:
    seat, cli = fake

    def forbid_automation(pack: dict[str, Any]) -> None:
        rule_in(pack, "R1")["when"][0][0]["value"].append("owner_automation")

    file = pack_file(seat, forbid_automation)
    checked = seat.run("policy", "check", file, "--json").result
    assert [(each["what"], each["effect"]) for each in checked["differences"]] == [("rule R1", "tighter")]
    assert seat.run("policy", "update", file).code == 0
    installed = seat.home / "config" / "policy-pack.json"
    assert stat.S_IMODE(installed.stat().st_mode) == 0o600
    refused = seat.run("run", "hi", "--for", "automation", "--json").result
    assert refused["receipt"]["policy"] == {
        "tier": "RED",
        "rule": "R1",
        "pack": "2026.11.21",
        "confirmed": None,
        "expires": None,
    }
    assert cli.starts() == []
    # Going back allows more again.
    assert seat.run("policy", "update", "--bundled").code == 2
    assert seat.run("policy", "update", "--bundled", "--i-confirm", SURE).code == 0
    assert seat.run("run", "hi", "--for", "automation").code == 0


def test_a_looser_pack_needs_the_owners_word_and_shows_why(seat: Seat, simulator: Simulator) -> None:
    file = pack_file(seat, lambda pack: pack["rules"].remove(rule_in(pack, "R3")))
    file = str(Path(file).rename(seat.root / "my pack.json"))
    refused = seat.run("policy", "update", file)
    assert refused.code == 2
    assert "code usage.pack_loosens" in refused.stderr
    assert f"`oneseat policy update '{file}' --i-confirm" in refused.stderr
    assert "rule R3: allows more" in refused.stderr
    assert "- RED, api_key: output_consumer in customers, third_party_direct" in refused.stderr
    assert "https://code.claude.com/docs/en/legal-and-compliance" in refused.stderr
    assert seat.run("run", "hi", "--reader", "customers").code == 3
    assert explained(seat)["pack"]["version"] == "2026.11.20"
    assert seat.run("policy", "update", file, "--i-confirm", SURE).code == 0
    # Without its RED rule it is still not GREEN: no pack can make it so.
    assert explained(seat, "--reader", "customers")["rule"] == "Y13"
    assert seat.run("run", "hi", "--reader", "customers").code == 3
    assert simulator.requests() == []


def test_what_is_no_pack_is_rejected_and_the_old_one_kept(seat: Seat) -> None:
    file = pack_file(seat, lambda pack: rule_in(pack, "R1")["when"][0][0].update(op="not_in"))
    for arguments in (("check", file), ("update", file, "--i-confirm", SURE)):
        ended = seat.run("policy", *arguments)
        assert (ended.code, "code usage.bad_policy_pack" in ended.stderr) == (2, True), ended
    assert explained(seat)["pack"]["version"] == "2026.11.20"


def test_a_pack_that_was_changed_behind_its_back_is_not_obeyed(fake: tuple[Seat, FakeCli]) -> None:
    seat, cli = fake
    assert seat.run("policy", "update", pack_file(seat, lambda pack: None)).code == 0
    installed = seat.home / "config" / "policy-pack.json"
    installed.write_text(installed.read_text().replace('"RED"', '"GREY"'))
    ended = seat.run("run", "hi", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (2, "usage.bad_policy_pack")
    assert cli.starts() == []
    installed.unlink()
    assert seat.run("run", "hi").code == 2
    assert seat.run("policy", "update", "--bundled").code == 0
    assert seat.run("run", "hi").code == 0


def test_rules_and_facts_have_dates(fake: tuple[Seat, FakeCli]) -> None:
    seat, cli = fake
    assert explained(seat, "--on", "2026-12-20")["pack"]["state"] == "review_due"
    assert explained(seat, "--on", "2027-02-18")["rule"] == "Y14"
    seat.env["ONESEAT_SIMULATOR_DATE"] = "2027-02-18"
    stale = seat.run("run", "hi", "--json")
    assert (stale.code, stale.result["receipt"]["policy"]["rule"]) == (3, "Y14")
    assert cli.starts() == []
    assert "expired on" in seat.run("doctor").stdout
    assert "`oneseat policy update`" in stale.result["error"]["hint"]


def test_a_split_of_the_plan_that_begins_keeps_runs_from_it(quick_seat: Seat) -> None:
    def split(pack: dict[str, Any]) -> None:
        for route in pack["billing_routes"]:
            if route["id"] == "route.claude_p.setup_token":
                route["effective_to"] = "2027-01-01"
        paused = next(
            each for each in pack["billing_routes"] if each["id"] == "route.claude_p.agent_sdk_credit"
        )
        paused.update(status="active", effective_from="2027-01-01", auth_method="oauth_token")

    assert quick_seat.run("policy", "update", pack_file(quick_seat, split)).code == 0
    quick_seat.env["ONESEAT_SIMULATOR_DATE"] = "2026-12-31"
    assert quick_seat.run("run", "hi").code == 0
    quick_seat.env["ONESEAT_SIMULATOR_DATE"] = "2027-01-01"
    refused = quick_seat.run("run", "hi", "--json").result
    assert refused["error"]["code"] == "policy.grey"
    assert "draws_from = agent_sdk_credit" in refused["error"]["message"]


def test_several_people_and_rented_machines_are_in_the_settings(seat: Seat, simulator: Simulator) -> None:
    settings(seat, "[policy]\nhumans = 2\n")
    assert seat.run("run", "hi", "--json").result["receipt"]["policy"]["rule"] == "R1"
    settings(seat, '[policy]\nhost = "rented_runner"\n')
    assert seat.run("run", "hi", "--json").result["receipt"]["policy"]["rule"] == "Y7"
    assert simulator.requests() == []
    settings(seat, "")
    del seat.env["ONESEAT_SIMULATOR_URL"]
    seat.env["GITHUB_ACTIONS"] = "true"
    assert explained(seat)["rule"] == "Y7"
    settings(seat, '[policy]\nhost = "owner_machine"\n')
    assert explained(seat)["rule"] == "G1"


def test_paid_usage_that_was_seen_is_not_walked_into_again(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("overage")
    assert seat.run("run", "hi").code == 4
    sent = len(simulator.messages())
    again = seat.run("run", "hi", "--json")
    assert (again.code, again.result["receipt"]["policy"]["rule"]) == (3, "Y12")
    assert len(simulator.messages()) == sent


def test_a_server_hears_of_a_confirmation_at_once(quick_seat: Seat) -> None:
    from tests.e2e.serving import serving

    with serving(quick_seat):
        assert quick_seat.run("run", "hi", "--work-of", "client").code == 3
        assert quick_seat.run("policy", "confirm", "Y5", "work_owner=client", "--i-confirm", SURE).code == 0
        done = quick_seat.run("run", "hi", "--work-of", "client", "--json").result
    assert done["status"] == "completed"
    with contextlib.closing(sqlite3.connect(quick_seat.ledger)) as db, db:
        inputs = [json.loads(row[0]) for row in db.execute("SELECT policy_inputs FROM runs")]
    assert {each["exposure"] for each in inputs} == {"unix_socket"}


def test_the_rules_and_one_rule_are_shown(seat: Seat) -> None:
    every = seat.run("policy", "show")
    assert (every.code, "R1 " in every.stdout, "pack 2026.11.20" in every.stdout) == (0, True, True)
    one = seat.run("policy", "show", "y5")
    assert "Y5 · GREY" in one.stdout
    assert seat.run("policy", "show", "Y5", "--json").result["sources"][0]["id"] == "legal-2026-08-22"
    assert seat.run("policy", "show", "nothing").code == 2
    facts = seat.run("policy", "show", "facts").stdout
    assert "anthropic.agent_sdk_credit_split (paused)" in facts
    # The largest number of kinds of values, and the one section that is no list.
    assert "max_parallel_plan_runs" in seat.run("policy", "show", "thresholds").stdout
    whole = seat.run("policy", "show", "--json").result
    assert all(whole[name] for name in SECTIONS)
