"""Commands that look ahead say what a run would: route, doctor, config check and init; and slips are caught by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from oneseat.rules.inputs.models import probable_model
from tests.e2e.driving import Seat, fake_seat

KEY = '[keys.work]\nprovider = "anthropic"\nenv = "WORK_KEY"\n'
FALLBACK = f'{KEY}[fallback]\nto = ["work"]\n'


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat, _ = fake_seat(tmp_path, "ok")
    return seat


def settings(seat: Seat, text: str) -> Path:
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def no_cli(seat: Seat) -> None:
    seat.env["ONESEAT_CLAUDE_PATH"] = str(seat.root / "nowhere")


def dead_simulator(seat: Seat) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = "http://127.0.0.1:9"


def many_people(seat: Seat) -> None:
    settings(seat, "[policy]\nhumans = 5\n")


def nested_too_deep(seat: Seat) -> None:
    seat.env["ONESEAT_DEPTH"] = "9"


def missing_cli_before_a_paid_key(seat: Seat) -> None:
    settings(seat, FALLBACK)
    no_cli(seat)


@pytest.mark.parametrize(
    "trouble", [no_cli, dead_simulator, many_people, nested_too_deep, missing_cli_before_a_paid_key]
)
def test_route_ends_as_the_run_would(trouble: object, seat: Seat) -> None:
    assert callable(trouble)
    trouble(seat)
    run = seat.run("run", "--json", "hi")
    route = seat.run("route", "--explain", "--json", "hi")
    assert run.code != 0
    assert route.code == run.code
    assert route.result["error"]["code"] == run.result["error"]["code"]


def test_route_sees_that_nobody_is_signed_in(seat: Seat) -> None:
    # The run itself is no comparison here: a fake CLI always has a login.
    seat.env["ONESEAT_SIMULATOR_LOGIN"] = "none"
    route = seat.run("route", "--json", "hi")
    assert (route.code, route.result["error"]["code"]) == (7, "provider.signed_out")


def test_the_doctor_names_a_fallback_that_cannot_serve(seat: Seat) -> None:
    settings(seat, FALLBACK + '[roles.fast]\ncandidates = [{ key = "work" }]\n')
    report = seat.run("doctor", "--json").result
    found = [each for each in report["findings"] if each["code"] == "provider.no_key"]
    assert [each["level"] for each in found] == ["warning", "warning"]
    assert "fallback.to" in found[0]["message"]
    assert "roles.fast" in found[1]["message"]
    assert report["ready"] is True
    seat.env["WORK_KEY"] = "sk-ant-api03-made-up"
    assert not [each for each in seat.run("doctor", "--json").result["findings"] if "key" in each["code"]]


def test_the_doctor_sees_a_policy_that_refuses_everything(seat: Seat) -> None:
    many_people(seat)
    no_cli(seat)
    report = seat.run("doctor", "--json").result
    assert "policy" in {each["code"].partition(".")[0] for each in report["findings"]}


def test_the_doctor_is_ready_where_a_key_serves_instead_of_the_plan(seat: Seat) -> None:
    settings(seat, FALLBACK + "[policy]\nhumans = 5\n")
    seat.env["WORK_KEY"] = "sk-ant-api03-made-up"
    ended = seat.run("doctor", "--json")
    assert (ended.code, ended.result["ready"]) == (0, True)
    (finding,) = [each for each in ended.result["findings"] if each["code"] == "plan.not_used"]
    assert "work" in finding["message"]


def test_the_doctor_sees_a_full_disk(seat: Seat) -> None:
    seat.run("doctor")
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); os.execv(sys.argv[1], sys.argv[1:])"
    seat.command = [sys.executable, "-IS", "-c", limit, *seat.command]
    ended = seat.run("doctor", "--json")
    assert ended.code != 0
    assert "usage.home_full" in {each["code"] for each in ended.result["findings"]}
    assert [path.name for path in seat.home.rglob(".space-*")] == []


def test_the_doctor_sees_a_dead_simulator(seat: Seat) -> None:
    dead_simulator(seat)
    ended = seat.run("doctor", "--json")
    assert (ended.code, ended.result["ready"]) == (7, False)
    assert "provider.unreachable" in {each["code"] for each in ended.result["findings"]}


def test_init_says_at_once_that_nothing_would_be_served(seat: Seat) -> None:
    ended = seat.run("init", "--yes", "--humans", "5", "--json")
    assert ended.code == 0
    assert ended.result["refused"]["code"].startswith("policy.")
    shown = seat.run("init", "--yes", "--replace", "--humans", "5")
    assert "would be refused" in shown.stderr
    with_key = seat.run(
        "init", "--yes", "--replace", "--humans", "5", "--key", "anthropic", "--key-env", "K", "--json"
    )
    assert with_key.result["refused"] is None
    assert Path(with_key.result["written"]).is_file()
    assert Path(with_key.result["copy"]).is_file()


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('[claude]\nmodel = "sonet"\n', "usage.unknown_model", 2),
        ('[claude]\npath = "{cwd}/claude"\n', "provider.not_found", 2),
        ('[projects.shop]\ndirectory = "{cwd}/nowhere"\n', "usage.bad_directory", 1),
        ('[projects.shop]\ndirectory = "{cwd}"\ntools = "Bsh"\n', "usage.unknown_tool", 1),
        ('[projects.shop]\ndirectory = "{cwd}"\nsystem_file = "{cwd}/nowhere"\n', "usage.unreadable_file", 1),
        ('[projects.shop]\ndirectory = "{cwd}"\nmcp_config = "{cwd}/nowhere"\n', "usage.unreadable_file", 1),
        ('[projects.shop]\ndirectory = "{cwd}"\nfallback_model = "opsu"\n', "usage.unknown_model", 3),
        (
            '[roles.fast]\ncandidates = [{{ provider = "claude-cli", model = "hiaku" }}]\n',
            "usage.unknown_model",
            2,
        ),
    ],
)
def test_config_check_looks_at_what_the_settings_name(seat: Seat, text: str, code: str, line: int) -> None:
    del seat.env["ONESEAT_CLAUDE_PATH"]
    path = settings(seat, text.format(cwd=seat.cwd) if "{" in text else text)
    ended = seat.run("config", "check", "--json")
    (finding,) = ended.result["findings"]
    assert (ended.code, finding["code"]) == (2, code)
    assert (finding["file"], finding["line"]) == (str(path), line)
    # Runs that need none of it can start.
    assert seat.run("config", "show").code == 0


def test_config_check_reads_the_policy_pack(seat: Seat) -> None:
    settings(seat, "").with_name("policy-pack.json").write_text("{}")
    assert seat.run("config", "check", "--json").result["findings"][0]["code"] == "usage.bad_policy_pack"


@pytest.mark.parametrize(
    ("typed", "code", "meant"),
    [
        (("run", "--tools", "Bsh", "hi"), "usage.unknown_tool", "--tools Bash"),
        (("run", "--model", "sonet", "hi"), "usage.unknown_model", "--model sonnet"),
        (("run", "--fallback-model", "sonet", "hi"), "usage.unknown_model", "--fallback-model sonnet"),
        (("route", "-m", "claude-sonet-5", "hi"), "usage.unknown_model", "claude-sonnet-5"),
        (("run", "--modle", "opus", "hi"), "usage.arguments", "`--model`"),
        (("config", "chek"), "usage.arguments", "`check`"),
        (("log", "--status", "fialed"), "usage.arguments", "`failed`"),
        (("usage", "modles"), "usage.arguments", "`models`"),
        (("run", "--max-turns", "1" + "0" * 23, "hi"), "usage.arguments", "10000"),
        (("run", "--timeout", "1e300", "hi"), "usage.arguments", "315,360,000"),
        (("run", "--max-budget-usd", "1e300", "hi"), "usage.arguments", "10,000,000"),
    ],
)
def test_a_slip_is_caught_with_the_nearest_name(
    seat: Seat, typed: tuple[str, ...], code: str, meant: str
) -> None:
    ended = seat.run(*typed)
    assert (ended.code, ended.stdout) == (2, "")
    assert f"code {code}" in ended.stderr
    assert meant in ended.stderr


@pytest.mark.parametrize(
    "name", ["sonnet", "opus[1m]", "claude-opus-9", "fable", "gpt-6-codex", "o4-mini", "qwen"]
)
def test_a_name_that_may_be_right_is_no_slip(name: str) -> None:
    assert probable_model(name) is None


@pytest.mark.parametrize(
    ("typed", "page"),
    [
        (("config", "check", "--jsn"), "oneseat config check --help"),
        (("policy", "confirm", "--reject"), "oneseat policy confirm --help"),
        (("config", "chek"), "oneseat config --help"),
        (("log", "--nope"), "oneseat log --help"),
    ],
)
def test_the_hint_names_the_help_of_the_command_itself(seat: Seat, typed: tuple[str, ...], page: str) -> None:
    assert f"`{page}`" in seat.run(*typed).stderr
    assert seat.run(*page.split()[1:]).code == 0


def test_the_hint_of_a_key_without_provider_keeps_what_was_typed(seat: Seat) -> None:
    stderr = seat.run("key", "set", "ci", "--env", "CI_KEY").stderr
    hint = stderr.partition("`oneseat ")[2].partition("`")[0]
    assert seat.run(*hint.split()).code == 0
    assert (seat.home / "config" / "oneseat.toml").read_text().count("CI_KEY") == 1


def test_filters_without_a_match_say_so(seat: Seat) -> None:
    seat.run("run", "hi")
    assert "--error" in seat.run("log", "--error", "nope").stderr
    assert "--dir" in seat.run("log", "--dir", str(seat.root / "nowhere")).stderr
    assert "--model" in seat.run("usage", "--model", "nope").stdout
    assert "--error" not in seat.run("log").stderr
