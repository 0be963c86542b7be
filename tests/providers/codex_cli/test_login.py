"""The login of `codex`: what is known of it without a token, and what lies around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oneseat.providers.codex_cli.login import codex_home, codex_login, forces_a_login, withheld_sources
from oneseat.providers.codex_cli.simulated_login import sign_in

SECRET = "PLANTED-and-long-enough"


def store(folder: Path, value: Any) -> Path:
    (folder / "auth.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def test_a_login_is_described_and_never_read(tmp_path: Path) -> None:
    tokens = {"refresh_token": SECRET, "access_token": SECRET, "id_token": SECRET}
    stored = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens}
    login = codex_login(store(tmp_path, {**stored, "last_refresh": "2026-11-20T11:08:40.734123456Z"}))
    assert (login.kind, login.auth_mode, login.has_key, login.has_refresh_token) == (
        "file",
        "chatgpt",
        False,
        True,
    )
    assert login.refreshed_at == pytest.approx(1795172920.734, abs=0.01)
    assert SECRET not in str(login)


@pytest.mark.parametrize(
    ("stored", "key", "refresh"),
    [
        ({"OPENAI_API_KEY": SECRET}, True, False),
        ({"OPENAI_API_KEY": "", "tokens": {"refresh_token": ""}}, False, False),
        ({"tokens": {}}, False, False),
        ({}, False, False),
    ],
)
def test_what_a_file_holds(tmp_path: Path, stored: dict[str, Any], key: bool, refresh: bool) -> None:
    login = codex_login(store(tmp_path, stored))
    assert (login.has_key, login.has_refresh_token) == (key, refresh)
    assert SECRET not in str(login)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tokens": 3}', '{"auth_mode": 7}', "\x00"])
def test_a_broken_file_is_a_fact(tmp_path: Path, content: str) -> None:
    login = codex_login(store(tmp_path, content))
    assert (login.kind, login.problem is not None) == ("none", True)


def test_without_a_file_it_may_lie_in_the_keyring(tmp_path: Path) -> None:
    assert codex_login(tmp_path).kind == "none"
    (tmp_path / "config.toml").write_text('cli_auth_credentials_store = "keyring"\n')
    assert codex_login(tmp_path).kind == "keyring"
    assert not forces_a_login(tmp_path)
    (tmp_path / "config.toml").write_text('forced_login_method = "chatgpt"\n')
    assert forces_a_login(tmp_path)


def test_what_lies_around_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"CODEX_API_KEY={SECRET}\nEMPTY=\nPATH=/bin\n")
    env = {"OPENAI_API_KEY": SECRET, "OPENAI_IDENTITY_TOKEN_FILE": SECRET, "CODEX_HOME": "/x", "EDITOR": "vi"}
    found = withheld_sources(env, tmp_path)
    assert [(source.name, source.scope) for source in found] == [
        ("OPENAI_API_KEY", "environment"),
        ("OPENAI_IDENTITY_TOKEN_FILE", "environment"),
        ("CODEX_API_KEY", "dotenv"),
    ]
    assert SECRET not in str(found)


def test_the_folder_is_the_owners(tmp_path: Path) -> None:
    assert codex_home({"HOME": str(tmp_path)}) == tmp_path / ".codex"
    assert codex_home({"HOME": str(tmp_path), "CODEX_HOME": "/elsewhere"}) == Path("/elsewhere")


def test_a_made_up_login_is_written_once_and_never_over_another(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    sign_in(folder, "made-up", 1_000_000.0)
    login = codex_login(folder)
    assert (login.auth_mode, login.has_key, login.has_refresh_token, login.refreshed_at) == (
        "chatgpt",
        False,
        True,
        1_000_000.0,
    )
    sign_in(folder, "made-up", 1_000_001.0)
    assert codex_login(folder).refreshed_at == 1_000_000.0
    sign_in(folder, "made-up", 2_000_000.0)
    assert codex_login(folder).refreshed_at == 2_000_000.0
    other = store(tmp_path, {"auth_mode": "apikey", "OPENAI_API_KEY": "x"})
    sign_in(other, "made-up", 2_000_000.0)
    assert codex_login(other).auth_mode == "apikey"
    assert [path.name for path in folder.iterdir()] == ["auth.json"]
