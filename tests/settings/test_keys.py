"""The ``[keys.NAME]`` tables: where an API key is; the key itself never stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.keys import ApiKey
from oneseat.settings import FILE_NAME, KEYS, Settings, load, read_named

WHOLE = """
[keys.work]
provider = "anthropic"
credits = true
run_budget_usd = 0.5
day_budget_usd = 5
month_budget_usd = 50
[keys."lap.top"]
provider = "openai-compatible"
base_url = "http://127.0.0.1:11434/v1/"
charges = false
[keys.gateway]
provider = "openai"
env = "MY_OPENAI_KEY"
base_url = "https://gateway.example:8443/openai/v1"
[keys.gem]
provider = "gemini"
file = "~/keys/gemini"
"""


def written(folder: Path, text: str) -> Path:
    (folder / FILE_NAME).write_text(text, "utf-8")
    return folder


def refusal(folder: Path, text: str) -> ErrorInfo:
    with pytest.raises(UsageError) as caught:
        read_named(KEYS, written(folder, text))
    return caught.value.info


def test_a_file_that_changes_between_two_looks_is_read_anew(tmp_path: Path) -> None:
    for variable in ("KEY_1", "KEY_2", "KEY_1"):
        written(tmp_path, f'[keys.a]\nprovider = "openai"\nenv = "{variable}"\n')
        assert read_named(KEYS, tmp_path)["a"].env == variable


def test_every_value_of_a_key_is_read(tmp_path: Path) -> None:
    folder = written(tmp_path, WHOLE)
    assert read_named(KEYS, folder) == {
        "work": ApiKey(
            name="work",
            provider="anthropic",
            credits=True,
            run_budget_usd=0.5,
            day_budget_usd=5.0,
            month_budget_usd=50.0,
        ),
        "lap.top": ApiKey(
            name="lap.top",
            provider="openai-compatible",
            base_url="http://127.0.0.1:11434/v1",
            charges=False,
        ),
        "gateway": ApiKey(
            name="gateway",
            provider="openai",
            env="MY_OPENAI_KEY",
            base_url="https://gateway.example:8443/openai/v1",
        ),
        "gem": ApiKey(name="gem", provider="gemini", file="~/keys/gemini"),
    }
    assert load({}, tmp_path, folder) == Settings()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("env = 'X'", "it has no `provider`"),
        ("provider = 'openai'\nenv = 'X'\nfile = '/k'", "it has both `env` and `file`"),
        ("provider = 'openai-compatible'", "an `openai-compatible` provider has no address of its own"),
        (
            "provider = 'openai'\ncharges = false",
            "with `charges = false` it needs a `base_url`: the vendor's own API is paid for",
        ),
        (
            "provider = 'openai'\ncharges = false\ncredits = true\nbase_url = 'https://a'",
            "it has both `credits = true` and `charges = false`",
        ),
    ],
)
def test_a_key_that_contradicts_itself_is_refused(text: str, why: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, f"[keys.work]\n{text}")
    assert error.code == "usage.bad_setting"
    assert error.message == (f"API key cannot be used: `keys.work`\n  set in `{tmp_path / FILE_NAME}`; {why}")


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example/v1",
        "http://192.168.0.7:11434/v1",
        "http://127.0.0.1.evil.example/",
        "https://me:pw-1234@gateway.example/v1",
        "https://gateway.example/v1?key=pw-1234",
        "https://gateway.example/v1#pw-1234",
        "https://gateway.example:70000/",
        "https://gateway.example\\\\@evil.example",
        "https://",
        "ftp://127.0.0.1/",
        "",
        " https://a",
        "https://a\\n",
    ],
)
def test_an_address_that_could_give_the_key_away_is_refused_without_its_credentials(
    url: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, f'[keys.work]\nprovider = "openai"\nbase_url = "{url}"')
    assert error.code == "usage.bad_setting"
    assert "`keys.work.base_url = " in error.message
    assert "pw-1234" not in error.message


@pytest.mark.parametrize("name", ["", "A B", "A=B", "1A", "ONESEAT_HOME", "A\\n", "\u017fECRET", "A" * 200])
def test_a_variable_is_named_as_variables_are(name: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, f'[keys.work]\nprovider = "openai"\nenv = "{name}"')
    assert "`keys.work.env = " in error.message


@pytest.mark.parametrize("key", ["sk-ant-api03-made-up-0123456789", "AIzaSyMadeUp0123456789abcdefghijklm"])
def test_a_key_in_the_place_of_its_variable_is_refused_and_not_repeated(key: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, f'[keys.work]\nprovider = "openai"\nenv = "{key}"')
    assert error.message.startswith("Setting cannot be used: `keys.work.env = …`\n")
    assert key not in str(error)
    assert "`oneseat key set NAME`" in (error.hint or "")


def test_a_key_written_into_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    error = refusal(tmp_path, '[keys.work]\nprovider = "openai"\napi_key = "sk-made-up-0123456789"')
    assert error.code == "usage.unknown_setting"
    assert "`keys.work.api_key`" in error.message
    assert error.hint == (
        "API keys do not belong in a settings file. Remove it, then: `oneseat key set NAME`"
    )
    assert "sk-made-up" not in error.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[keys.work]\nprovdier = 'openai'", "Write `keys.work.provider` instead"),
        ("[projects.shop]\ndirectoy = '/'", "Write `projects.shop.directory` instead"),
        ("[key.work]\nprovider = 'openai'", "Write `[keys.work]` instead"),
        ("[project.shop]\ndirectory = '/'", "Write `[projects.shop]` instead"),
    ],
)
def test_a_misspelt_key_or_table_is_named_with_the_right_one(text: str, hint: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text).hint == hint


def test_a_directorys_own_settings_cannot_bring_keys(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    written(clone, "[keys.work]\nprovider = 'openai'\nbase_url = 'https://evil.example'")
    with pytest.raises(UsageError) as caught:
        load({}, clone, tmp_path / "config")
    assert caught.value.info.code == "usage.setting_not_allowed"
