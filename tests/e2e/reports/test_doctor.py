"""`oneseat doctor`: whatever the state of the machine is, it ends in time, names every danger and its fix, and shows no secret."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import Behaviour, Simulator
from oneseat.testing.fake_cli import Initialized
from tests.e2e.credential_rows import BEDROCK, HELPER, KEY, KEY_HEADER, PLANTED, TOKEN, env
from tests.e2e.driving import Done, Seat, check_snapshot, fake_seat

DAY_MS = 24 * 3600 * 1000
MAX = Behaviour(on_initialize=(Initialized({"subscriptionType": "Claude Max", "apiProvider": "firstParty"}),))
#: As long as a real one.
WHOLE_TOKEN = f"sk-ant-oat01-{PLANTED * 12}"
SIGN_IN = "Sign in again: run `claude` and type /login"


def checked(ended: Done) -> dict[str, Any]:
    """The report of ``doctor --json``, with what holds for every report."""
    report = ended.result
    problems = [finding for finding in report["findings"] if finding["level"] == "problem"]
    assert (report["exit_code"], report["ready"]) == (ended.code, ended.code == 0), ended
    assert bool(problems) is not report["ready"]
    for finding in report["findings"]:
        if finding["level"] != "ok":
            assert finding["fix"], finding
            assert finding["fix"].count("`") in {2, 4, 6}, finding
    levels = [finding["level"] for finding in report["findings"]]
    assert levels == sorted(levels, key=["problem", "warning", "ok"].index)
    assert PLANTED not in ended.stdout + ended.stderr
    assert ended.stderr == ""
    return report


def problem(report: dict[str, Any]) -> dict[str, Any]:
    """The only problem."""
    (found,) = [finding for finding in report["findings"] if finding["level"] == "problem"]
    return dict(found)


def warnings(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The warnings by code; none is said twice."""
    found = [finding for finding in report["findings"] if finding["level"] == "warning"]
    assert len({finding["code"] for finding in found}) == len(found), found
    return {finding["code"]: finding for finding in found}


def rows(report: dict[str, Any], seat: Seat) -> list[tuple[str, str, str]]:
    return [
        (row["name"], row["effect"], row["place"].replace(str(seat.root), "ROOT"))
        for row in report["sources"]
    ]


def real_life(seat: Seat) -> Seat:
    """Without a simulator. The CLI has to be a fake then: a real one would look for the vendor."""
    del seat.env["ONESEAT_SIMULATOR_URL"]
    return seat


def store_login(seat: Seat, *, expires_in_ms: float = 30 * DAY_MS, mode: int = 0o600, **fields: Any) -> Path:
    path = seat.home.parent / ".claude" / ".credentials.json"
    path.parent.mkdir(exist_ok=True)
    login = {
        "accessToken": f"sk-ant-oat01-{PLANTED}",
        "refreshToken": f"sk-ant-ort01-{PLANTED}",
        "expiresAt": int(time.time() * 1000 + expires_in_ms),
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
        "rateLimitTier": "default_claude_max_20x",
        **fields,
    }
    path.write_text(json.dumps({"claudeAiOauth": login}))
    path.chmod(mode)
    return path


@pytest.mark.parametrize("login", ["token", "file"])
def test_a_simulated_seat_is_ready_and_its_login_is_called_made_up(
    login: str, tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    seat.env |= {"ONESEAT_SIMULATOR_LOGIN": login, "CLAUDE_CODE_OAUTH_TOKEN": PLANTED}
    stored = store_login(seat)
    report = checked(seat.run("doctor", "--json"))
    assert (report["exit_code"], report["wallet"], report["cli_path"]) == (0, "simulator", str(claude_path))
    assert report["cli_version"] == report["tested"][1]
    assert rows(report, seat) == [(f"login ({login})", "pays", "made up for the simulator")]
    assert [(it["kind"], it["place"], it["expires_at_ms"]) for it in report["logins"]] == [
        (login, "made up for the simulator", None)
    ]
    plain = seat.run("doctor")
    assert f"login         {login}, made up for the simulator\n" in plain.stdout
    assert plain.stdout.endswith("\nready\n")
    assert str(stored) not in plain.stdout
    assert PLANTED not in plain.stdout
    assert simulator.messages() == []


def test_the_oldest_cli_names_its_version_too(
    tmp_path: Path, old_claude_path: Path, simulator: Simulator
) -> None:
    report = checked(Seat(tmp_path, old_claude_path, simulator).run("doctor", "--json"))
    assert (report["exit_code"], report["cli_version"]) == (0, report["tested"][0])


def test_a_simulated_seat_without_login_says_how_to_simulate_one(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    seat.env["ONESEAT_SIMULATOR_LOGIN"] = "none"
    found = problem(checked(seat.run("doctor", "--json")))
    assert (found["code"], found["fix"]) == (
        "provider.signed_out",
        "Simulate a login: `export ONESEAT_SIMULATOR_LOGIN=token`",
    )


def test_nobody_signed_in(tmp_path: Path) -> None:
    seat = real_life(fake_seat(tmp_path, "signed-out")[0])
    report = checked(seat.run("doctor", "--json"))
    assert (report["exit_code"], report["wallet"], report["sources"]) == (7, "unknown", [])
    assert problem(report)["code"] == "provider.signed_out"
    check_snapshot("doctor-signed-out", seat, seat.run("doctor"))


@pytest.mark.parametrize("where", ["named", "PATH"])
def test_no_cli(where: str, tmp_path: Path) -> None:
    seat = Seat(tmp_path, tmp_path / "nowhere" / "claude")
    if where == "PATH":
        del seat.env["ONESEAT_CLAUDE_PATH"]
        seat.env["PATH"] = str(tmp_path)
    report = checked(seat.run("doctor", "--json"))
    assert (report["exit_code"], report["cli_path"], report["cli_version"]) == (7, None, None)
    assert problem(report)["code"] == "provider.not_found"
    assert "official CLI  not found\n" in seat.run("doctor").stdout


def test_a_cli_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "old-version")
    report = checked(seat.run("doctor", "--json"))
    assert (report["exit_code"], report["cli_version"]) == (7, "1.0.3")
    assert problem(report)["code"] == "provider.too_old"


def test_a_cli_newer_than_any_tested_one_is_a_warning(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(version="9.0.0"))
    report = checked(seat.run("doctor", "--json"))
    assert (report["exit_code"], list(warnings(report))) == (0, ["cli.untested"])


@pytest.mark.parametrize("behaviour", ["silent", "silent-forever"])
def test_a_cli_that_hangs_is_given_up_and_leaves_nothing_behind(behaviour: str, tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, behaviour)
    (seat.home / "config").mkdir(parents=True)
    (seat.home / "config" / "oneseat.toml").write_text("watchdog.start_s = 1\n")
    report = checked(seat.run("doctor", "--json"))
    found = problem(report)
    assert (report["exit_code"], found["code"]) == (7, "provider.silent")
    assert "within 1 s" in found["message"]
    assert len(cli.starts()) == 1
    seat.assert_nothing_left()


def test_a_cli_that_dies_says_so_in_its_own_words(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "dies-at-start")
    found = problem(checked(seat.run("doctor", "--json")))
    assert found["code"] == "provider.crashed"
    assert "libfake.so is missing" in found["message"]


def test_a_dirty_machine_is_ready_and_every_source_is_listed_in_the_clis_order(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    dirty(seat)
    report = checked(seat.run("doctor", "--json"))
    kept, ignored = "is kept from the child", "is ignored"
    user, local = "ROOT/home/.claude/settings.json", "ROOT/work/.claude/settings.local.json"
    assert rows(report, seat) == [
        ("CLAUDE_CODE_USE_BEDROCK", kept, "ROOT/work/.claude/settings.json"),
        ("ANTHROPIC_CUSTOM_HEADERS", kept, user),
        ("ANTHROPIC_API_KEY", kept, local),
        ("ANTHROPIC_API_KEY", kept, "environment"),
        ("ANTHROPIC_API_KEY", ignored, "ROOT/work/.env"),
        ("apiKeyHelper", kept, user),
        ("ANTHROPIC_AUTH_TOKEN", kept, "environment"),
        ("CLAUDE_CODE_SIMPLE", kept, "environment"),
        ("login (token)", "pays", "made up for the simulator"),
    ]
    assert report["exit_code"] == 0
    assert simulator.messages() == []


def test_a_dirty_machine_is_told_what_each_source_does_and_how_to_get_rid_of_it(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    dirty(seat)
    report = checked(seat.run("doctor", "--json"))
    told = [it["code"] for it in report["findings"] if it["code"].startswith("source.")]
    assert told == ["source.kept"] * 7 + ["source.ignored"]
    for finding in report["findings"]:
        if finding["code"].startswith("source."):
            assert finding["fix"].startswith("If nothing else needs it"), finding
    check_snapshot("doctor-dirty", seat, seat.run("doctor"))


def dirty(seat: Seat) -> None:
    """Something in every place, each of which would bill another wallet by itself."""
    home, work = seat.home.parent / ".claude", seat.cwd / ".claude"
    for folder in (home, work):
        folder.mkdir()
    (home / "settings.json").write_text(json.dumps(HELPER | env(KEY_HEADER)))
    (work / "settings.json").write_text(json.dumps(env(BEDROCK)))
    (work / "settings.local.json").write_text(json.dumps(env(KEY)))
    (seat.cwd / ".env").write_text(f"ANTHROPIC_API_KEY={PLANTED}\n")
    seat.env |= {**KEY, **TOKEN, "CLAUDE_CODE_SIMPLE": "1"}


def test_a_settings_file_that_cannot_be_read_may_hold_anything(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    (seat.cwd / ".claude").mkdir()
    path = seat.cwd / ".claude" / "settings.json"
    path.write_text(f'{{"env": {{"ANTHROPIC_API_KEY": "{PLANTED}"')
    report = checked(seat.run("doctor", "--json"))
    assert warnings(report)["source.kept"]["fix"] == f"Repair or remove `{path}`"


@pytest.mark.parametrize(
    ("line", "code", "row"),
    [
        (
            f"export ANTHROPIC_API_KEY={PLANTED}",
            "billing.api_key_wins",
            ("ANTHROPIC_API_KEY", "would win", "environment of the CLI process"),
        ),
        (
            f"export ANTHROPIC_CUSTOM_HEADERS='x-api-key: {PLANTED}'",
            "billing.custom_headers",
            ("ANTHROPIC_CUSTOM_HEADERS", "would win", "environment of the CLI process"),
        ),
        ("unset ONESEAT_RUN_ID", "billing.unsafe_child", None),
    ],
)
def test_a_script_around_the_cli_is_not_safe(
    line: str,
    code: str,
    row: tuple[str, str, str] | None,
    tmp_path: Path,
    claude_path: Path,
    simulator: Simulator,
) -> None:
    script = tmp_path / "claude"
    script.write_text(f'#!/bin/sh\n{line}\nexec {shlex.quote(str(claude_path))} "$@"\n')
    script.chmod(0o700)
    seat = Seat(tmp_path, script, simulator)
    report = checked(seat.run("doctor", "--json"))
    login = ("login (token)", "is ignored", "made up for the simulator")
    assert (report["exit_code"], problem(report)["code"]) == (3, code)
    assert rows(report, seat) == ([row] if row else []) + [login]
    assert "Name the official CLI itself" in problem(report)["fix"]
    assert simulator.messages() == []


def test_what_an_administrator_set_is_not_safe(tmp_path: Path) -> None:
    answer = {"sources": [{"source": "policySettings", "settings": HELPER}], "effective": HELPER}
    seat, _ = fake_seat(tmp_path, Behaviour(answers={"get_settings": answer}))
    report = checked(seat.run("doctor", "--json"))
    assert (report["exit_code"], problem(report)["code"]) == (3, "billing.managed_settings")
    assert rows(report, seat)[0] == ("apiKeyHelper", "would win", "managed settings")


def test_a_login_file_is_described_without_its_tokens(tmp_path: Path) -> None:
    seat = real_life(fake_seat(tmp_path, MAX)[0])
    stored = store_login(seat)
    report = checked(seat.run("doctor", "--json"))
    (login,) = report["logins"]
    assert (report["exit_code"], report["wallet"]) == (0, "plan")
    assert (login["kind"], login["place"], login["subscription"]) == ("file", str(stored), "max")
    assert (login["rate_limit_tier"], login["mode"]) == ("default_claude_max_20x", 0o600)
    assert login["expires_at_ms"] > time.time() * 1000
    assert rows(report, seat) == [("login (file)", "pays", "ROOT/home/.claude/.credentials.json")]
    assert warnings(report) == {}
    plain = seat.run("doctor")
    assert f"login         file ({stored}), plan max, expires 20" in plain.stdout
    assert PLANTED not in plain.stdout + plain.stderr


def test_a_token_comes_before_the_stored_login(tmp_path: Path) -> None:
    seat = real_life(fake_seat(tmp_path, "ok")[0])
    store_login(seat)
    seat.env["CLAUDE_CODE_OAUTH_TOKEN"] = WHOLE_TOKEN
    assert rows(checked(seat.run("doctor", "--json")), seat) == [
        ("login (token)", "pays", "CLAUDE_CODE_OAUTH_TOKEN"),
        ("login (file)", "is ignored", "ROOT/home/.claude/.credentials.json"),
    ]


@pytest.mark.parametrize(
    ("stored", "code", "level"),
    [
        ({"expires_in_ms": -DAY_MS}, "login.expired", "warning"),
        ({"expires_in_ms": DAY_MS / 2}, "login.expires_soon", "ok"),
        ({"mode": 0o644}, "login.open", "warning"),
        ({"scopes": ["user:profile"]}, "login.no_inference", "warning"),
        ({"expiresAt": "tomorrow"}, "login.unreadable", "warning"),
    ],
)
def test_what_is_wrong_with_a_login_file_is_said(
    stored: dict[str, Any], code: str, level: str, tmp_path: Path
) -> None:
    seat = real_life(fake_seat(tmp_path, MAX)[0])
    store_login(seat, **stored)
    report = checked(seat.run("doctor", "--json"))
    (found,) = [it for it in report["findings"] if it["code"].startswith("login.")]
    assert (found["code"], found["level"], report["exit_code"]) == (code, level, 0)


def test_a_home_that_cannot_be_used(tmp_path: Path, codex_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    # Its made-up login is kept there, so it cannot be started.
    seat.env["ONESEAT_CODEX_PATH"] = str(codex_path)
    (tmp_path / "file").write_text("")
    seat.env["ONESEAT_HOME"] = str(tmp_path / "file" / "home")
    report = checked(seat.run("doctor", "--json"))
    assert (report["exit_code"], problem(report)["code"]) == (2, "usage.home_unwritable")
    # The rest of the machine is still looked at.
    assert (report["wallet"], report["cli_version"]) == ("simulator", "2.1.329")


def test_the_worst_of_several_problems_is_the_exit_code_and_all_are_listed(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "signed-out")
    (tmp_path / "file").write_text("")
    seat.env["ONESEAT_HOME"] = str(tmp_path / "file" / "home")
    report = checked(seat.run("doctor", "--json"))
    problems = [it["code"] for it in report["findings"] if it["level"] == "problem"]
    assert (report["exit_code"], problems) == (2, ["usage.home_unwritable", "provider.signed_out"])


def test_following_the_fix_of_an_open_folder_closes_it(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    assert warnings(checked(seat.run("doctor", "--json"))) == {}
    (seat.home / "data").chmod(0o755)
    found = warnings(checked(seat.run("doctor", "--json")))["folder.open"]
    subprocess.run(shlex.split(found["fix"].strip("`")), check=True)
    assert warnings(checked(seat.run("doctor", "--json"))) == {}


def test_following_the_fix_of_a_kept_proxy_gives_it_to_the_cli(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    real_life(seat)
    proxies = {"https_proxy": f"http://{PLANTED}@127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    seat.env |= {"CLAUDE_CODE_OAUTH_TOKEN": WHOLE_TOKEN, **proxies}
    fix = warnings(checked(seat.run("doctor", "--json")))["environment.proxy"]["fix"]
    file, line = fix.split("`")[1::2]
    Path(file).write_text(line)
    Path(file).chmod(0o600)
    assert warnings(checked(seat.run("doctor", "--json"))) == {}
    before, after = cli.starts()
    assert set(after.environment) - set(before.environment) == set(proxies)


@pytest.mark.parametrize(
    "name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_USE_SYSTEM_CA", "NODE_EXTRA_CA_CERTS"]
)
def test_following_the_fix_of_kept_certificates_gives_them_to_the_cli(name: str, tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    real_life(seat)
    seat.env |= {"CLAUDE_CODE_OAUTH_TOKEN": WHOLE_TOKEN, name: "1"}
    fix = warnings(checked(seat.run("doctor", "--json")))["environment.proxy"]["fix"]
    file, line = fix.split("`")[1::2]
    Path(file).write_text(line)
    Path(file).chmod(0o600)
    assert warnings(checked(seat.run("doctor", "--json"))) == {}
    before, after = cli.starts()
    assert set(after.environment) - set(before.environment) == {name}


def test_a_proxy_is_no_matter_to_a_simulated_run(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    seat.env["HTTPS_PROXY"] = "http://127.0.0.1:9"
    assert warnings(checked(seat.run("doctor", "--json"))) == {}


def test_settings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    (seat.cwd / "oneseat.toml").write_text("claude.model = 7\n")
    ended = seat.run("doctor")
    assert (ended.code, ended.stdout) == (2, "")
    assert str(seat.cwd / "oneseat.toml") in ended.stderr
    assert cli.starts() == []
