"""What the scanner sees: every name in every place it can hide in, and never a value."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.facts import CredentialSource, LoginFacts
from oneseat.providers.claude_cli.credentials import (
    ClaudePaths,
    login_facts,
    reaching,
    scan,
    scan_dotenv,
    scan_settings_files,
    scan_unkeepable,
    token_fault,
    write_simulated_login,
)
from oneseat.providers.cli_common.environment_scan import child_sources, scan_environment

SECRET = "made-up-value-that-must-not-appear"
FAR = 4_102_444_800_000


@pytest.fixture
def places(tmp_path: Path) -> ClaudePaths:
    """A working directory two levels below the root of a repository, and a home elsewhere; all empty."""
    cwd, home = tmp_path / "repository" / "sub" / "deep", tmp_path / "home"
    cwd.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    home.mkdir()
    found = ClaudePaths.find({"HOME": str(home)}, cwd)
    return msgspec.structs.replace(found, managed_dir=tmp_path / "managed")


def write(path: Path, content: dict[str, Any] | str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps(content).encode() if isinstance(content, dict) else content
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def names(sources: tuple[CredentialSource, ...]) -> set[tuple[str, str, str]]:
    assert SECRET not in repr(sources)
    return {(source.name, source.kind, source.scope) for source in sources}


def env_block(*variables: str) -> dict[str, Any]:
    return {"env": dict.fromkeys(variables, SECRET)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ANTHROPIC_API_KEY", "api_key"),
        ("anthropic_api_key", "api_key"),
        ("ANTHROPIC_AUTH_TOKEN", "auth_token"),
        ("ANTHROPIC_BASE_URL", "base_url"),
        ("ANTHROPIC_UNIX_SOCKET", "base_url"),
        ("ANTHROPIC_CUSTOM_HEADERS", "headers"),
        ("CLAUDE_CODE_EXTRA_BODY", "headers"),
        ("CLAUDE_CODE_USE_BEDROCK", "cloud"),
        ("CLAUDE_CODE_USE_SOMETHING_NEW", "cloud"),
        ("CLAUDE_CODE_SIMPLE", "mode"),
        ("CLAUDE_LOCAL_OAUTH_API_BASE", "base_url"),
        ("CLAUDE_CONFIG_DIR", "login"),
        ("https_proxy", "proxy"),
        ("CLAUDE_CODE_USE_POWERSHELL_TOOL", None),
        ("ANTHROPIC_MODEL", None),
        ("CLAUDE_CODE_MAX_RETRIES", None),
        ("AWS_PROFILE", None),
        ("PATH", None),
    ],
)
def test_the_table_knows_what_a_name_is(name: str, kind: str | None) -> None:
    entry = CLAUDE_NAMES.find(name)
    assert (entry.kind if entry is not None else None) == kind


def test_the_table_names_nothing_twice() -> None:
    listed = [entry.name for entry in CLAUDE_NAMES.variables]
    assert len(set(listed)) == len(listed)
    assert [name for name in listed if name != name.upper()] == []


def test_the_environment_is_scanned_by_name() -> None:
    env = {
        "ANTHROPIC_API_KEY": SECRET,
        "CLAUDE_CODE_USE_VERTEX": "true",
        "PATH": "/usr/bin",
        # Without effect on the CLI, measured: empty, or switched off.
        "ANTHROPIC_AUTH_TOKEN": "",
        "CLAUDE_CODE_USE_BEDROCK": "0",
        "CLAUDE_CODE_SIMPLE": "False",
        # A proxy changes the way, not the payer.
        "HTTPS_PROXY": "http://127.0.0.1:1",
        # The seat's own login.
        "CLAUDE_CODE_OAUTH_TOKEN": SECRET,
        "CLAUDE_CONFIG_DIR": "/elsewhere",
    }
    found = scan_environment(env, CLAUDE_NAMES)
    assert names(found) == {
        ("ANTHROPIC_API_KEY", "api_key", "environment"),
        ("CLAUDE_CODE_USE_VERTEX", "cloud", "environment"),
    }
    assert {source.place for source in found} == {"environment"}


def test_what_was_put_into_the_child_by_others_is_found() -> None:
    given = {
        "HOME": "/home/me",
        "CLAUDE_CODE_OAUTH_TOKEN": "mine",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
    }
    assert child_sources(given, given, CLAUDE_NAMES) == ()
    real = {
        "HOME": "/home/me/other",
        "CLAUDE_CODE_OAUTH_TOKEN": SECRET,
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:2",
        "ANTHROPIC_CUSTOM_HEADERS": SECRET,
        "CLAUDE_CODE_USE_BEDROCK": "0",
        "HTTPS_PROXY": "http://127.0.0.1:3",
        "SHLVL": "1",
    }
    assert names(child_sources(real, given, CLAUDE_NAMES)) == {
        ("HOME", "login", "child"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "oauth_token", "child"),
        ("ANTHROPIC_BASE_URL", "base_url", "child"),
        ("ANTHROPIC_CUSTOM_HEADERS", "headers", "child"),
    }


def test_a_variable_that_was_given_and_is_gone_is_left_to_the_account() -> None:
    assert child_sources({}, {"CLAUDE_CODE_OAUTH_TOKEN": "mine"}, CLAUDE_NAMES) == ()


def test_settings_are_read_where_the_cli_reads_them(places: ClaudePaths, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    write(places.home / ".claude" / "settings.json", env_block("ANTHROPIC_API_KEY"))
    write(places.cwd / ".claude" / "settings.json", {"apiKeyHelper": SECRET})
    write(places.cwd / ".claude" / "settings.local.json", env_block("ANTHROPIC_BASE_URL"))
    # 2.1.329 reads the private settings at the root of the repository too, and nothing else of a parent.
    write(root / ".claude" / "settings.local.json", env_block("CLAUDE_CODE_USE_VERTEX"))
    write(root / ".claude" / "settings.json", env_block("ANTHROPIC_AUTH_TOKEN"))
    write(root / "sub" / ".claude" / "settings.local.json", env_block("ANTHROPIC_AUTH_TOKEN"))
    write(places.home / ".claude" / "settings.local.json", env_block("ANTHROPIC_AUTH_TOKEN"))
    found = scan_settings_files(places)
    assert names(found) == {
        ("ANTHROPIC_API_KEY", "api_key", "user_settings"),
        ("apiKeyHelper", "key_helper", "project_settings"),
        ("ANTHROPIC_BASE_URL", "base_url", "local_settings"),
        ("CLAUDE_CODE_USE_VERTEX", "cloud", "local_settings"),
    }
    assert str(places.cwd / ".claude" / "settings.json") in {source.place for source in found}


def test_one_file_counts_once_when_home_is_the_working_directory(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "settings.json", env_block("ANTHROPIC_API_KEY"))
    write(tmp_path / ".env", f"ANTHROPIC_API_KEY={SECRET}\n")
    found = scan({"HOME": str(tmp_path)}, tmp_path)
    assert names(found) == {
        ("ANTHROPIC_API_KEY", "api_key", "user_settings"),
        ("ANTHROPIC_API_KEY", "api_key", "dotenv"),
    }
    assert len(found) == 2


def test_a_moved_configuration_is_followed(places: ClaudePaths, tmp_path: Path) -> None:
    write(places.home / ".claude" / "settings.json", env_block("ANTHROPIC_API_KEY"))
    write(places.home / ".claude.json", env_block("ANTHROPIC_API_KEY"))
    write(tmp_path / "moved" / "settings.json", env_block("ANTHROPIC_AUTH_TOKEN"))
    write(tmp_path / "moved" / ".claude.json", env_block("ANTHROPIC_BASE_URL"))
    env = {"HOME": str(places.home), "CLAUDE_CONFIG_DIR": str(tmp_path / "moved")}
    assert names(scan(env, places.cwd)) == {("ANTHROPIC_AUTH_TOKEN", "auth_token", "user_settings")}
    assert ("ANTHROPIC_BASE_URL", "base_url", "global_config") in names(reaching(env, places.cwd))
    assert ("ANTHROPIC_API_KEY", "api_key", "global_config") not in names(reaching(env, places.cwd))


def test_a_relative_configuration_folder_is_below_the_childs_working_directory(places: ClaudePaths) -> None:
    found = ClaudePaths.find({"HOME": str(places.home), "CLAUDE_CONFIG_DIR": "mine"}, places.cwd)
    assert found.config_dir == places.cwd / "mine"


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        ('""', False),
        ("null", False),
        ('"x"', True),
        ("1", True),
        ("true", True),
        ('"0"', True),
        ('" "', True),
    ],
)
def test_a_key_counts_unless_it_is_empty(places: ClaudePaths, value: str, counts: bool) -> None:
    write(places.user_settings(), f'{{"env": {{"ANTHROPIC_API_KEY": {value}}}}}')
    assert bool(scan_settings_files(places)) is counts


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        ('"0"', False),
        ("0", False),
        ("false", False),
        ('"No"', False),
        ('"1"', True),
        ("true", True),
        ('"?"', True),
    ],
)
def test_a_switch_counts_unless_it_says_no(places: ClaudePaths, value: str, counts: bool) -> None:
    write(places.user_settings(), f'{{"env": {{"CLAUDE_CODE_USE_BEDROCK": {value}}}}}')
    assert bool(scan_settings_files(places)) is counts


@pytest.mark.parametrize("helper", ['""', "null"])
def test_an_empty_helper_does_not_count(places: ClaudePaths, helper: str) -> None:
    write(places.user_settings(), f'{{"apiKeyHelper": {helper}}}')
    assert scan_settings_files(places) == ()


@pytest.mark.parametrize(
    "content",
    [
        '{"env":',
        "// a comment\n{}",
        "[]",
        b'{"env": {"ANTHROPIC_API_KEY": "x"}, }',
        "[" * 200_000,
    ],
)
def test_a_broken_file_is_a_fact(places: ClaudePaths, content: str | bytes) -> None:
    write(places.project_settings(), content)
    assert names(scan_settings_files(places)) == {("settings.json", "unreadable", "project_settings")}


@pytest.mark.parametrize(
    "content",
    [
        # All of these have an effect on the CLI, measured on 2.1.197 and 2.1.329.
        b'\xef\xbb\xbf{"env": {"ANTHROPIC_API_KEY": "x"}}',
        b'{"history": "\\ud83d", "env": {"ANTHROPIC_API_KEY": "x\\ud83d"}}',
        b'{"\\u0065nv": {"ANTHROPIC\\u005fAPI_KEY": "x"}}',
        b'{"env": {"A": "1"}, "env": {"ANTHROPIC_API_KEY": "x"}}',
    ],
)
def test_what_the_cli_can_read_is_read(places: ClaudePaths, content: bytes) -> None:
    write(places.home / ".claude.json", content)
    assert names(scan_unkeepable(places)) == {("ANTHROPIC_API_KEY", "api_key", "global_config")}


@pytest.mark.parametrize("content", ["", "{}", '{"env": []}', '{"env": null}', '{"env": {"EDITOR": "vi"}}'])
def test_a_file_without_anything_in_it_is_no_fact(places: ClaudePaths, content: str) -> None:
    write(places.user_settings(), content)
    write(places.home / ".claude.json", content)
    assert scan_settings_files(places) == ()
    assert scan_unkeepable(places) == ()


def test_what_reaches_the_child_whatever_its_flags(places: ClaudePaths) -> None:
    managed = places.managed_dir
    write(managed / "managed-settings.json", {"apiKeyHelper": SECRET})
    write(managed / "managed-settings.d" / "10-extra.json", env_block("ANTHROPIC_CUSTOM_HEADERS"))
    write(managed / "managed-settings.d" / ".hidden.json", env_block("ANTHROPIC_AUTH_TOKEN"))
    write(managed / "managed-settings.d" / "README", "not JSON")
    write(places.config_dir / "remote-settings.json", env_block("CLAUDE_CODE_USE_FOUNDRY"))
    write(
        places.home / ".claude.json",
        {"primaryApiKey": SECRET, "apiKeyHelper": SECRET, **env_block("ANTHROPIC_BASE_URL")},
    )
    write(places.config_dir / ".config.json", env_block("ANTHROPIC_API_KEY"))
    assert names(scan_unkeepable(places)) == {
        ("apiKeyHelper", "key_helper", "managed_settings"),
        ("ANTHROPIC_CUSTOM_HEADERS", "headers", "managed_settings"),
        ("CLAUDE_CODE_USE_FOUNDRY", "cloud", "managed_settings"),
        # An apiKeyHelper in the CLI's state file has no effect (measured).
        ("primaryApiKey", "api_key", "global_config"),
        ("ANTHROPIC_BASE_URL", "base_url", "global_config"),
        ("ANTHROPIC_API_KEY", "api_key", "global_config"),
    }


def test_a_broken_state_file_or_policy_reaches_the_child_as_an_unknown(places: ClaudePaths) -> None:
    write(places.managed_dir / "managed-settings.json", "{")
    (places.home / ".claude.json").mkdir()
    assert names(scan_unkeepable(places)) == {
        ("managed-settings.json", "unreadable", "managed_settings"),
        (".claude.json", "unreadable", "global_config"),
    }


def test_dotenv_files_are_read_for_names(places: ClaudePaths) -> None:
    write(
        places.cwd / ".env",
        f"""# ANTHROPIC_AUTH_TOKEN={SECRET}
export ANTHROPIC_API_KEY='{SECRET}'
  ANTHROPIC_BASE_URL = "{SECRET}"
ANTHROPIC_CUSTOM_HEADERS=
CLAUDE_CODE_EXTRA_BODY=   # nothing
DATABASE_URL={SECRET}
NOT_ANTHROPIC_API_KEY={SECRET}
ANTHROPIC_API_KEY={SECRET}
""",
    )
    write(places.home / ".env.local", f"ANTHROPIC_AUTH_TOKEN={SECRET}\r\n")
    write(places.cwd / ".env.production", f"ANTHROPIC_AUTH_TOKEN={SECRET}\n")
    found = scan_dotenv(places)
    assert names(found) == {
        ("ANTHROPIC_API_KEY", "api_key", "dotenv"),
        ("ANTHROPIC_BASE_URL", "base_url", "dotenv"),
        ("ANTHROPIC_AUTH_TOKEN", "auth_token", "dotenv"),
    }
    assert len(found) == 3


def test_a_dotenv_that_is_not_text_has_no_names_and_breaks_nothing(places: ClaudePaths) -> None:
    write(places.cwd / ".env", bytes(range(256)) * 100)
    assert scan_dotenv(places) == ()


def test_a_named_pipe_does_not_block_the_scan(places: ClaudePaths) -> None:
    os.mkfifo(places.cwd / ".env")
    assert names(scan_dotenv(places)) == {(".env", "unreadable", "dotenv")}


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder with an `.env` that we may not open, also when the tests run as the superuser."""
    superuser = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        write(path / ".env", f"ANTHROPIC_API_KEY={SECRET}")
        (path / ".env").chmod(0)
        if superuser:
            os.seteuid(65534)
        yield path
        if superuser:
            os.seteuid(0)


def test_a_file_that_may_not_be_opened_is_a_fact(closed_folder: Path) -> None:
    places = ClaudePaths.find({"HOME": str(closed_folder)}, closed_folder)
    assert names(scan_dotenv(places)) == {(".env", "unreadable", "dotenv")}


def login(**changed: object) -> dict[str, Any]:
    fields = {
        "accessToken": SECRET,
        "refreshToken": SECRET,
        "expiresAt": FAR,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
        "rateLimitTier": "default_claude_max_5x",
    }
    return {"claudeAiOauth": {**fields, **changed}}


def test_a_stored_login_is_known_by_everything_but_its_tokens(places: ClaudePaths) -> None:
    path = places.login_file()
    write(path, login())
    path.chmod(0o640)
    assert login_facts({}, places.config_dir) == LoginFacts(
        kind="file",
        place=str(path),
        expires_at_ms=FAR,
        scopes=("user:inference", "user:profile"),
        subscription="max",
        rate_limit_tier="default_claude_max_5x",
        mode=0o640,
    )
    assert SECRET not in repr(login_facts({}, places.config_dir))


def test_a_token_in_the_environment_wins_over_the_stored_login(places: ClaudePaths) -> None:
    write(places.login_file(), login())
    facts = login_facts({"CLAUDE_CODE_OAUTH_TOKEN": SECRET}, places.config_dir)
    assert (facts.kind, facts.place) == ("token", "CLAUDE_CODE_OAUTH_TOKEN")
    assert login_facts({"CLAUDE_CODE_OAUTH_TOKEN": ""}, places.config_dir).kind == "file"


def test_a_login_without_plan_or_date_is_still_a_login(places: ClaudePaths) -> None:
    write(places.login_file(), login(subscriptionType=None, expiresAt=None, scopes=None, rateLimitTier=None))
    facts = login_facts({}, places.config_dir)
    assert (facts.kind, facts.subscription, facts.expires_at_ms, facts.scopes) == ("file", None, None, ())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "it is not JSON of the expected shape"),
        ("", "it is not JSON of the expected shape"),
        (login(expiresAt=SECRET), "it is not JSON of the expected shape"),
        ({"mcpOAuth": {}}, "it holds no subscription login"),
    ],
)
def test_a_login_file_that_cannot_be_understood_says_why_without_quoting_it(
    places: ClaudePaths, content: dict[str, Any] | str, problem: str
) -> None:
    write(places.login_file(), content)
    facts = login_facts({}, places.config_dir)
    assert (facts.kind, facts.problem, facts.place) == ("none", problem, str(places.login_file()))


def test_no_login_at_all(places: ClaudePaths) -> None:
    assert login_facts({}, places.config_dir) == LoginFacts(kind="none", place=str(places.login_file()))


def test_the_simulated_login_is_private_and_never_replaces_another(tmp_path: Path) -> None:
    write_simulated_login(tmp_path, "made-up")
    facts = login_facts({}, tmp_path)
    assert (facts.kind, facts.expires_at_ms, facts.scopes) == ("file", FAR, ("user:inference",))
    assert stat.S_IMODE((tmp_path / ".credentials.json").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_simulated_login(tmp_path, "made-up")


WHOLE_TOKEN = "sk-ant-oat01-" + SECRET * 5


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (WHOLE_TOKEN[:60] + "\n" + WHOLE_TOKEN[60:], "a line break"),
        (WHOLE_TOKEN + " ", "a space"),
        (f'"{WHOLE_TOKEN}"', "a quotation mark"),
        (WHOLE_TOKEN + "\u200b", "tokens do not have"),
        (WHOLE_TOKEN[:39], "too short"),
        ("sk-ant-api03-" + SECRET * 5, "an API key"),
    ],
)
def test_a_token_that_was_not_pasted_whole_is_known_by_its_form(token: str, why: str) -> None:
    fault = token_fault({"CLAUDE_CODE_OAUTH_TOKEN": token})
    assert fault is not None
    assert why in fault
    assert SECRET not in fault


def test_a_whole_token_and_none_at_all_have_no_fault() -> None:
    found = [token_fault(env) for env in ({}, *({"CLAUDE_CODE_OAUTH_TOKEN": it} for it in ("", WHOLE_TOKEN)))]
    assert found == [None, None, None]
