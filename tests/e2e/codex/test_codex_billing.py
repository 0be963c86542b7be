"""Who pays for a run of `codex`: every situation of the facts, through the real CLI; the login file is never touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import CodexSeat

KEY = "sk-PLANTED-made-up-key"
TOKENS = {"id_token": "", "access_token": "made-up", "refresh_token": "made-up", "account_id": "a"}
CHATGPT_WITHOUT_A_TOKEN = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": None}
API_KEY = {"auth_mode": "apikey", "OPENAI_API_KEY": KEY}
BOTH_AND_NO_WORD = {"OPENAI_API_KEY": KEY, "tokens": TOKENS}


def refused(seat: CodexSeat, code: str) -> str:
    """Run once; it must be refused with ``code`` before anything reached a model. Returns all that was said."""
    result = seat.run()
    assert result.error is not None, result
    assert (result.error.code, result.receipt.verdict) == (code, "nothing_sent"), result.error
    assert seat.simulator.messages("codex") == []
    assert not any("PLANTED" in str(request) for request in seat.simulator.requests("codex"))
    said = f"{result}"
    assert "PLANTED" not in said
    return said


def test_variables_that_would_win_are_kept_from_the_cli_and_named(seat: CodexSeat) -> None:
    names = ("CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_ACCESS_TOKEN", "OPENAI_BASE_URL")
    seat.env |= dict.fromkeys(names, KEY)
    result = seat.run()
    assert (result.status, result.receipt.verdict) == ("completed", "verified")
    assert {f"kept:{name}" for name in names} <= {evidence.what for evidence in result.receipt.evidence}
    assert all(request.simulator_token for request in seat.simulator.requests("codex"))
    assert KEY not in str(result)


@pytest.mark.parametrize("stored", [API_KEY, BOTH_AND_NO_WORD], ids=["key", "both and no word"])
def test_a_login_that_is_a_key_is_refused(seat: CodexSeat, stored: dict[str, Any]) -> None:
    before = seat.write_login(**stored)
    assert "codex login" in refused(seat, "billing.api_key_wins")
    assert (seat.folder / "auth.json").read_bytes() == before


def test_a_forced_login_that_could_delete_the_file_is_never_started(seat: CodexSeat) -> None:
    before = seat.write_login(**API_KEY)
    (seat.folder / "config.toml").write_text('forced_login_method = "chatgpt"\n')
    refused(seat, "billing.api_key_wins")
    assert (seat.folder / "auth.json").read_bytes() == before
    assert seat.simulator.requests("codex") == []


def test_nobody_is_signed_in(seat: CodexSeat) -> None:
    seat.env["ONESEAT_SIMULATOR_LOGIN"] = "none"
    seat.env["CODEX_API_KEY"] = KEY
    said = refused(seat, "provider.signed_out")
    assert "CODEX_API_KEY" in said


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ('openai_base_url = "http://127.0.0.1:9/PLANTED"', None),
        (
            'model_provider = "other"\n[model_providers.other]\nname = "o"\nbase_url = "http://127.0.0.1:9"',
            None,
        ),
        ('[model_providers.openai]\nname = "o"\nbase_url = "http://127.0.0.1:9"', "billing"),
        ("nonsense = = 1", "billing"),
    ],
    ids=["address", "other provider", "the vendor described anew", "unreadable"],
)
def test_settings_of_the_owner_cannot_send_the_login_elsewhere(
    seat: CodexSeat, settings: str, code: str | None
) -> None:
    seat.folder.mkdir(parents=True)
    (seat.folder / "config.toml").write_text(settings)
    result = seat.run()
    if code is None:
        assert result.status == "completed"
    else:
        assert result.receipt.verdict == "nothing_sent"
        assert result.error is not None
    assert all(request.simulator_token for request in seat.simulator.requests("codex"))


def test_a_trusted_folder_brings_nothing_of_its_own(seat: CodexSeat) -> None:
    seat.folder.mkdir(parents=True)
    (seat.folder / "config.toml").write_text(f'[projects."{seat.cwd}"]\ntrust_level = "trusted"\n')
    project = seat.cwd / ".codex"
    project.mkdir()
    (project / "config.toml").write_text(
        'model = "from-the-project"\n[mcp_servers.p]\ncommand = "/bin/cat"\n'
    )
    result = seat.run()
    assert (result.status, result.receipt.model) == ("completed", "gpt-6.2-sol")


@pytest.mark.parametrize(
    ("line", "start", "code"),
    [
        (f"export CODEX_API_KEY={KEY}", "exec", "billing.api_key_wins"),
        (f"export CODEX_API_KEY={KEY}", "", "billing.api_key_wins"),
        (f"export OPENAI_BASE_URL={KEY}", "", "billing.base_url_changed"),
        ("unset CODEX_HOME", "exec", "billing.unsafe_child"),
        ("unset ONESEAT_RUN_ID", "", "billing.unsafe_child"),
    ],
)
def test_a_script_around_the_cli_is_seen_through(seat: CodexSeat, line: str, start: str, code: str) -> None:
    script = seat.root / "codex"
    script.write_text(f'#!/bin/sh\n{line}\n{start} {seat.env["ONESEAT_CODEX_PATH"]} "$@"\n')
    script.chmod(0o755)
    seat.env["ONESEAT_CODEX_PATH"] = str(script)
    if line.startswith("unset CODEX_HOME"):
        seat.write_login(**CHATGPT_WITHOUT_A_TOKEN)
        result = seat.run()
        assert result.receipt.verdict == "nothing_sent"
        return
    assert line.partition("=")[0].removeprefix("export ").removeprefix("unset ") in refused(seat, code)


def test_paid_credits_are_not_spent(seat: CodexSeat) -> None:
    seat.play("overage")
    refused(seat, "billing.credits_next")


def test_the_login_of_the_owner_is_left_as_it_is(seat: CodexSeat) -> None:
    seat.run()
    login = seat.folder / "auth.json"
    before = login.read_bytes()
    seat.env["CODEX_API_KEY"] = KEY
    seat.play("unauthorized")
    seat.run()
    assert login.read_bytes() == before


def test_the_real_folder_is_never_looked_at_in_a_simulated_run(seat: CodexSeat, tmp_path: Path) -> None:
    real = tmp_path / ".codex"
    real.mkdir()
    (real / "auth.json").write_text('{"auth_mode": "apikey", "OPENAI_API_KEY": "sk-PLANTED"}')
    before = sorted(path.name for path in real.iterdir())
    assert seat.run().status == "completed"
    assert sorted(path.name for path in real.iterdir()) == before


@pytest.mark.parametrize("name", ["openai_base_url", "chatgpt_base_url"])
def test_in_real_life_an_address_of_the_owners_settings_is_met_before_the_cli_starts(
    seat: CodexSeat, name: str
) -> None:
    real = seat.root / ".codex"
    real.mkdir()
    (real / "auth.json").write_text(json.dumps({"auth_mode": "chatgpt", "tokens": TOKENS}))
    (real / "config.toml").write_text(f'{name} = "{seat.simulator.url(label="codex")}"\n')
    del seat.env["ONESEAT_SIMULATOR_URL"]
    result = seat.run()
    assert result.error is not None
    assert (result.error.code, result.receipt.verdict) == ("billing.base_url_changed", "nothing_sent")
    assert name in result.error.message
    assert seat.simulator.requests() == []
    assert sorted(path.name for path in real.iterdir()) == ["auth.json", "config.toml"]
