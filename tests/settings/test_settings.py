"""Settings: which source wins, what is refused and in which words, and that no simulator address leaves this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.settings import FILE_NAME, Settings, home_from, load, reference_rows
from oneseat.settings.table import declared, in_named_tables

Write = Callable[[str], Path]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "config"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    return folder


@pytest.fixture
def own(config: Path) -> Write:
    return lambda text: _written(config / FILE_NAME, text)


@pytest.fixture
def projects(project: Path) -> Write:
    return lambda text: _written(project / FILE_NAME, text)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def refusal(call: Callable[[], object]) -> ErrorInfo:
    with pytest.raises(UsageError) as caught:
        call()
    return caught.value.info


# --- Which source wins ---


def test_without_any_source_the_defaults_hold(project: Path, config: Path) -> None:
    assert load({}, project, config) == Settings()


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"own"}, "from-own"),
        ({"own", "project"}, "from-project"),
        ({"own", "project", "env"}, "from-env"),
        ({"own", "project", "env", "argument"}, "from-argument"),
        ({"own", "env"}, "from-env"),
        ({"project", "argument"}, "from-argument"),
    ],
)
def test_the_nearest_source_wins(
    sources: set[str], expected: str, own: Write, projects: Write, project: Path, config: Path
) -> None:
    if "own" in sources:
        own('[claude]\nmodel = "from-own"')
    if "project" in sources:
        projects('[claude]\nmodel = "from-project"')
    env = {"ONESEAT_MODEL": "from-env"} if "env" in sources else {}
    arguments = {"claude.model": "from-argument" if "argument" in sources else None}
    assert load(env, project, config, arguments).claude_model == expected


def test_sources_are_merged_setting_by_setting(
    own: Write, projects: Write, project: Path, config: Path
) -> None:
    own("[run]\ntimeout_s = 5\n[watchdog]\ntool_s = 7")
    projects("run.timeout_s = 6\nledger.keep_text = false")
    settings = load({}, project, config)
    assert (settings.run_timeout_s, settings.watchdog_tool_s, settings.ledger_keep_text) == (6.0, 7.0, False)


def test_every_setting_can_be_set_by_its_owner(own: Write, project: Path, config: Path) -> None:
    own(
        """
        [claude]
        path = "/opt/claude"
        model = "opus"
        pass_environment = ["HTTPS_PROXY", "no_proxy", "NODE_EXTRA_CA_CERTS"]
        max_retries = 10
        [simulator]
        url = "http://localhost:1234/s/ok/"
        login = "file"
        [run]
        timeout_s = 1
        [watchdog]
        start_s = 1.5
        model_s = 2
        tool_s = 3
        retry_s = 4
        after_result_s = 0
        [ledger]
        keep_text = false
        """
    )
    expected = Settings(
        claude_path="/opt/claude",
        claude_model="opus",
        claude_pass_environment=("HTTPS_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS"),
        claude_max_retries=10,
        simulator_url="http://localhost:1234/s/ok",
        simulator_login="file",
        run_timeout_s=1.0,
        watchdog_start_s=1.5,
        watchdog_model_s=2.0,
        watchdog_tool_s=3.0,
        watchdog_retry_s=4.0,
        watchdog_after_result_s=0.0,
        ledger_keep_text=False,
    )
    assert load({}, project, config) == expected


def test_every_variable_sets_its_setting(project: Path, config: Path) -> None:
    env = {
        "ONESEAT_HOME": "/srv/oneseat",
        "ONESEAT_CLAUDE_PATH": "~/bin/claude",
        "ONESEAT_MODEL": "haiku",
        "ONESEAT_CODEX_PATH": "~/bin/codex",
        "ONESEAT_SIMULATOR_URL": "http://[::1]:8700",
        "ONESEAT_SIMULATOR_LOGIN": "none",
        "ONESEAT_SIMULATOR_DATE": "2027-01-01",
        "ONESEAT_LOG": "debug",
        "ONESEAT_LOG_FILE": "~/oneseat.log",
        "PATH": "/bin",
    }
    expected = Settings(
        home="/srv/oneseat",
        claude_path="~/bin/claude",
        claude_model="haiku",
        codex_path="~/bin/codex",
        simulator_url="http://[::1]:8700",
        simulator_login="none",
        simulator_date="2027-01-01",
        log_level="debug",
        log_file="~/oneseat.log",
    )
    assert load(env, project, config) == expected
    assert {setting.env for _, setting in declared().values() if setting.env} == set(env) - {"PATH"}


def test_a_project_is_found_from_the_folders_below_it(projects: Write, project: Path, config: Path) -> None:
    projects('claude.model = "opus"')
    below = project / "a" / "b"
    below.mkdir(parents=True)
    assert load({}, below, config).claude_model == "opus"


def test_the_search_for_a_project_ends_where_its_repository_does(
    tmp_path: Path, project: Path, config: Path
) -> None:
    _written(tmp_path / FILE_NAME, "this is no TOML and is not read")
    assert load({}, project, config) == Settings()
    (project / ".git").rmdir()
    assert refusal(lambda: load({}, project, config)).code == "usage.bad_settings_file"


def test_a_worktree_whose_git_is_a_file_ends_the_search_too(
    tmp_path: Path, project: Path, config: Path
) -> None:
    _written(tmp_path / FILE_NAME, "this is no TOML and is not read")
    (project / ".git").rmdir()
    _written(project / ".git", "gitdir: elsewhere")
    assert load({}, project, config) == Settings()


def test_the_nearest_of_two_projects_counts_alone(projects: Write, project: Path, config: Path) -> None:
    projects("run.timeout_s = 5")
    inner = project / "inner"
    inner.mkdir()
    _written(inner / FILE_NAME, "watchdog.tool_s = 6")
    settings = load({}, inner, config)
    assert (settings.run_timeout_s, settings.watchdog_tool_s) == (1800.0, 6.0)


def test_in_the_owners_folder_the_owners_file_keeps_its_rights(own: Write, config: Path) -> None:
    own('claude.path = "/opt/claude"')
    assert load({}, config, config).claude_path == "/opt/claude"


def test_a_link_to_the_owners_file_is_the_owners_file(own: Write, config: Path, project: Path) -> None:
    (project / FILE_NAME).symlink_to(own('claude.path = "/opt/claude"'))
    assert load({}, project, config).claude_path == "/opt/claude"


def test_the_home_comes_from_the_argument_then_the_environment() -> None:
    env = {"ONESEAT_HOME": "/env", "ONESEAT_MODEL": " "}
    assert home_from(env, {"home": "/argument"}) == "/argument"
    assert home_from(env, {"home": None}) == "/env"
    assert home_from({}) is None


# --- What is refused ---


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("claude.path", '"bin/claude"', "an absolute path, or one that begins with `~/`"),
        ("claude.path", '"claude"', "an absolute path, or one that begins with `~/`"),
        ("claude.path", '"~root/claude"', "an absolute path, or one that begins with `~/`"),
        ("claude.path", '"/opt/\\u0000claude"', "an absolute path, or one that begins with `~/`"),
        ("claude.model", '""', "text on one line"),
        ("claude.model", '" "', "text on one line"),
        ("claude.model", '"a\\nb"', "text on one line"),
        ("claude.model", "7", "text on one line"),
        ("claude.max_retries", "11", "a whole number from 0 to 10"),
        ("claude.max_retries", "-1", "a whole number from 0 to 10"),
        ("claude.max_retries", "2.0", "a whole number from 0 to 10"),
        ("claude.max_retries", "true", "a whole number from 0 to 10"),
        ("claude.max_retries", '"2"', "a whole number from 0 to 10"),
        ("claude.max_retries", "{}", "a whole number from 0 to 10"),
        ("simulator.login", '"oauth"', "one of `token`, `file`, `none`"),
        ("simulator.login", '["token"]', "one of `token`, `file`, `none`"),
        *(
            ("budget.day_usd", value, "an amount in US dollars above 0, at most 1000000")
            for value in ("0", "-1", "nan", "inf", "true", '"5"', "1000001")
        ),
        ("run.timeout_s", "0", "a number of seconds from 1 to 604800"),
        ("run.timeout_s", "-5", "a number of seconds from 1 to 604800"),
        ("run.timeout_s", "inf", "a number of seconds from 1 to 604800"),
        ("run.timeout_s", "nan", "a number of seconds from 1 to 604800"),
        ("run.timeout_s", "true", "a number of seconds from 1 to 604800"),
        ("run.timeout_s", '"30"', "a number of seconds from 1 to 604800"),
        ("run.timeout_s", "2026-11-20", "a number of seconds from 1 to 604800"),
        ("watchdog.start_s", "3601", "a number of seconds from 1 to 3600"),
        ("watchdog.model_s", "0.5", "a number of seconds from 1 to 86400"),
        ("watchdog.tool_s", "86401", "a number of seconds from 1 to 86400"),
        ("watchdog.retry_s", "[]", "a number of seconds from 1 to 86400"),
        ("watchdog.after_result_s", "-0.1", "a number of seconds from 0 to 3600"),
        ("ledger.keep_text", "1", "`true` or `false`"),
        ("ledger.keep_text", '"no"', "`true` or `false`"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(
    name: str, value: str, expected: str, own: Write, project: Path, config: Path
) -> None:
    path = own(f"{name} = {value}")
    info = refusal(lambda: load({}, project, config))
    assert info.code == "usage.bad_setting"
    first, second = info.message.split("\n")
    assert first.startswith(f"Setting cannot be used: `{name} = ")
    assert second == f"  set in `{path}`; expected {expected}"


def test_every_kind_of_value_is_shown_as_it_was_written(own: Write, project: Path, config: Path) -> None:
    written = {
        "11": "11",
        "true": "true",
        "2.5": "2.5",
        '["a", [1], true]': '["a", […], true]',
        "{a = 1}": "…",
    }
    for value, shown in written.items():
        own(f"claude.max_retries = {value}" if value[0] != "{" else "claude.pass_environment = [{a = 1}]")
        message = refusal(lambda: load({}, project, config)).message
        assert f"= {shown}`" in message or f"= [{shown}]`" in message


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_API_KEY",
        "anthropic_base_url",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDECODE",
        "AWS_PROFILE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "CLOUD_ML_REGION",
        "VERTEX_REGION_CLAUDE",
        "BEDROCK_URL",
        "AZURE_CLIENT_SECRET",
        "ONESEAT_RUN_ID",
        "",
        "A B",
        "A=B",
        "1A",
        "\u017fECRET",
        "HTTPS_PROXY\n",
    ],
)
def test_a_name_that_may_change_who_pays_is_never_let_through(
    name: str, own: Write, project: Path, config: Path
) -> None:
    escaped = name.replace("\n", "\\n")
    path = own(f'claude.pass_environment = ["HTTPS_PROXY", "{escaped}"]')
    info = refusal(lambda: load({}, project, config))
    assert info.code == "usage.bad_setting"
    where = f"set in `{path}`; expected a list of variable names, none of which can change who pays"
    assert info.message.endswith(where)


@pytest.mark.parametrize("value", ['"HTTPS_PROXY"', "[1]", "{}"])
def test_the_names_to_pass_are_a_list_of_texts(value: str, own: Write, project: Path, config: Path) -> None:
    own(f"claude.pass_environment = {value}")
    assert refusal(lambda: load({}, project, config)).code == "usage.bad_setting"


@pytest.mark.parametrize(
    ("text", "name", "nearest"),
    [
        ('[claude]\nmodle = "x"', "claude.modle", "claude.model"),
        ('[claud]\nmodel = "x"', "claud.model", "claude.model"),
        ("[run]\ntimeout = 5", "run.timeout", "run.timeout_s"),
        ("hom = 1", "hom", "home"),
        ('"claude.model" = "x"', "claude.model", "claude.model"),
        ("[claude.model]\nx = 1", "claude.model", None),
        ("[claude.a.b.c]\nx = 1", "claude.a", None),
        ("[metrics]", "metrics", None),
        ('api_key = "sk-ant-api03-secret"', "api_key", None),
        ("claude = 3", "claude", None),
        (f"{'k' * 2000} = 3", "k" * 79 + "…", None),
        ('"a\\u001b[31m" = 3', "a\\x1b[31m", None),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_right_one(
    text: str, name: str, nearest: str | None, own: Write, project: Path, config: Path
) -> None:
    path = own(text)
    info = refusal(lambda: load({}, project, config))
    if name == "claude.model" and nearest is None:
        assert info.message == (
            f"Setting cannot be used: `claude.model = …`\n  set in `{path}`; expected text on one line"
        )
        return
    assert info.code == "usage.unknown_setting"
    assert info.message == f"Unknown setting: `{name}`\n  set in `{path}`"
    assert info.hint == (nearest and f"Write `{nearest}` instead")


def test_an_empty_table_of_settings_is_fine(own: Write, project: Path, config: Path) -> None:
    own("[claude]\n[watchdog]")
    assert load({}, project, config) == Settings()


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("ONESEAT_SIMULATOR_ULR", "ONESEAT_SIMULATOR_URL"),
        ("ONESEAT_SIMULATORURL", "ONESEAT_SIMULATOR_URL"),
        ("ONESEAT_CLAUD_PATH", "ONESEAT_CLAUDE_PATH"),
        ("ONESEAT_MODELS", "ONESEAT_MODEL"),
    ],
)
def test_a_misspelt_variable_is_refused(variable: str, nearest: str, project: Path, config: Path) -> None:
    assert refusal(lambda: load({variable: "x"}, project, config)) == ErrorInfo(
        code="usage.unknown_setting",
        message=f"Unknown environment variable: `{variable}`\n  oneseat reads `{nearest}`",
        hint=f"Unset it: `unset {variable}`",
    )


def test_variables_of_other_programs_and_of_running_runs_are_let_be(project: Path, config: Path) -> None:
    env = {"ONESEAT_RUN_ID": "1", "ONESEAT_DEPTH": "2", "ONESEATED": "3", "SIMULATOR_ULR": "4"}
    assert load(env, project, config) == Settings()


def test_an_empty_variable_is_refused_for_it_may_have_been_meant_to_simulate(
    project: Path, config: Path
) -> None:
    info = refusal(lambda: load({"ONESEAT_MODEL": ""}, project, config))
    assert info == ErrorInfo(
        code="usage.bad_setting",
        message='Setting cannot be used: `claude.model = ""`\n'
        "  set by the environment variable `ONESEAT_MODEL`; expected text on one line",
        hint="Unset it: `unset ONESEAT_MODEL`",
    )
    assert refusal(lambda: load({"ONESEAT_SIMULATOR_URL": ""}, project, config)).code == (
        "usage.simulator_not_loopback"
    )


def test_an_argument_that_does_not_fit_is_refused(project: Path, config: Path) -> None:
    info = refusal(lambda: load({}, project, config, {"run.timeout_s": 0}))
    assert info.message == (
        "Setting cannot be used: `run.timeout_s = 0`\n"
        "  given as an argument; expected a number of seconds from 1 to 604800"
    )


@pytest.mark.parametrize(
    "text",
    [
        'claude.path = "/project/evil"',
        'claude.pass_environment = ["HTTPS_PROXY"]',
        'simulator.url = "http://127.0.0.1:1"',
        'simulator.login = "none"',
    ],
)
def test_a_project_cannot_say_what_runs_or_where_prompts_go(
    text: str, projects: Write, project: Path, config: Path
) -> None:
    path = projects(text)
    assert refusal(lambda: load({}, project, config)) == ErrorInfo(
        code="usage.setting_not_allowed",
        message=f"Setting not allowed in this file: `{text.partition(' ')[0]}`\n  set in `{path}`;"
        " otherwise another person's project could choose what runs here and where prompts go",
        hint=f"Set it in your own file: `{config / FILE_NAME}`",
    )


def test_no_file_can_say_where_the_files_are(
    own: Write, projects: Write, project: Path, config: Path
) -> None:
    for path in (own('home = "/x"'), projects('home = "/x"')):
        assert refusal(lambda: load({}, project, config)) == ErrorInfo(
            code="usage.setting_not_allowed",
            message=f"Setting not allowed in this file: `home`\n  set in `{path}`; the settings files are found through it",
            hint="Set the variable: `export ONESEAT_HOME=/path/to/a/folder`",
        )
        path.unlink()


@pytest.mark.parametrize(
    ("data", "position", "reason"),
    [
        (b"[claude]\nmodel 5", ":2:7", "expected '=' after a key in a key/value pair"),
        (b'model = "abc', ":1:13", "unterminated string"),
        (b"a = 1\na = 2", ":2:6", "cannot overwrite a value"),
        ("# señor\nx = \xff".encode("latin-1"), ":1:5", "it is not UTF-8"),
        (b"a = " + b"[" * 16_000, "", "the values are nested too deeply"),
        (b"a" + b".a" * 32_000 + b" = 1", "", "a key has too many parts"),
        (b'"\\""' + b'."\\""' * 8_000 + b" = 1", "", "a key has too many parts"),
        (b"[" + b"'a' . \"b\" ." * 4_000 + b"c]", "", "a key has too many parts"),
        (b"x = " + b"9" * 5000, "", None),
        (b"#" * 65_537, "", "it is larger than 65536 bytes"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_column(
    data: bytes, position: str, reason: str | None, project: Path, config: Path
) -> None:
    path = project / FILE_NAME
    path.write_bytes(data)
    info = refusal(lambda: load({}, project, config))
    if reason is None:
        assert info.message.startswith(("Unknown setting: `a.a`", f"Settings file cannot be used: `{path}`"))
        return
    assert info.code == "usage.bad_settings_file"
    assert info.message == f"Settings file cannot be used: `{path}{position}`\n  {reason}"


def test_a_number_too_long_to_write_is_refused_all_the_same(own: Write, project: Path, config: Path) -> None:
    own("claude.max_retries = 0x" + "f" * 6000)
    message = refusal(lambda: load({}, project, config)).message
    assert message.startswith("Setting cannot be used: `claude.max_retries = …`")


def test_a_byte_order_mark_is_no_mistake(own: Write, project: Path, config: Path) -> None:
    own("\ufeffrun.timeout_s = 5")
    assert load({}, project, config).run_timeout_s == 5.0


def test_a_folder_of_that_name_is_not_read(project: Path, config: Path) -> None:
    (project / FILE_NAME).mkdir()
    assert load({}, project, config) == Settings()


def test_the_reference_tells_every_setting() -> None:
    rows = {row.name: row for row in reference_rows()}
    assert list(rows) == [*declared(), *(setting.name for setting in in_named_tables().values())]
    assert rows["claude.model"].variable == "ONESEAT_MODEL"
    assert [rows[name].default for name in ("claude.model", "claude.path", "claude.pass_environment")] == [
        '"sonnet"',
        "not set",
        "[]",
    ]
    assert [rows[name].files for name in ("home", "claude.path", "run.timeout_s")] == [
        "in no file",
        "own only",
        "project's or own",
    ]
    assert all(row.meaning and row.expected and row.since for row in rows.values())


def test_the_time_limits_suit_models_that_think_and_tools_that_build() -> None:
    defaults = Settings()
    assert defaults.watchdog_model_s >= 600
    assert defaults.watchdog_tool_s > 1800
