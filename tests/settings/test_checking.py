"""Everything that is wrong in the settings is named at once, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.contract.errors import UsageError
from oneseat.settings import FILE_NAME, KEYS, PROJECTS, load, read_named
from oneseat.settings.checking import Inspected, inspect

BROKEN = """\
# mine
[claude]
modle = "opus"          # a slip of the pen
max_retries = 99
home = "/x"
[keys.work]
  provider = "antropic"
  day_budget_usd = 3
[keys.two]
env = "X"
[keys.three]
provider = "openai"
run_budget_usd = 9
day_budget_usd = 3
month_budget_usd = 2
[projects.shop]
directory = "/srv/shop"
max_budget_usd = 5
day_budget_usd = 4
[watchdog]
tool_s = 5
[budget]
day_usd = 9
month_usd = 3
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / ".git").mkdir(parents=True)
    return tmp_path / "project"


def told(seen: Inspected) -> list[tuple[int | None, int | None, str, str | None]]:
    return [
        (each.line, each.column, each.error.message.partition("\n")[0], each.error.hint)
        for each in seen.findings
    ]


def test_every_finding_has_its_place_and_the_nearest_right_word(config: Path, project: Path) -> None:
    (config / FILE_NAME).write_text(BROKEN, "utf-8")
    assert told(inspect({}, project, config)) == [
        (3, 1, "Unknown setting: `claude.modle`", "Write `claude.model` instead"),
        (4, 1, "Setting cannot be used: `claude.max_retries = 99`", None),
        (5, 1, "Unknown setting: `claude.home`", "Write `claude.model` instead"),
        (7, 3, 'Setting cannot be used: `keys.work.provider = "antropic"`', 'Write `"anthropic"` instead'),
        (9, 1, "API key cannot be used: `keys.two`", 'Name its provider, as in `provider = "anthropic"`'),
        (13, 1, "API key cannot be used: `keys.three`", None),
        (14, 1, "API key cannot be used: `keys.three`", None),
        (18, 1, "Project cannot be used: `projects.shop`", None),
        (23, 1, "Setting cannot be used: `budget.day_usd`", None),
    ]


def test_names_of_keys_and_seats_that_are_not_there_are_named(config: Path, project: Path) -> None:
    (config / FILE_NAME).write_text(
        """
[fallback]
to = ["codex-cli", "worc", "wrok", "nobody"]
[keys.work]
provider = "openai"
[roles.bulk]
candidates = [{ key = "work" }, { provider = "claude-clo" }, { key = "wok" }, { provider = "codex" }, { provider = "gpt" }]
""",
        "utf-8",
    )
    seen = inspect({}, project, config)
    assert [(line, hint) for line, _, _, hint in told(seen)] == [
        (3, 'Write `"work"` instead'),
        (3, 'Write `"work"` instead'),
        (3, "Add the key: `oneseat key set nobody --provider anthropic`"),
        (7, 'Write `"claude-cli"` instead'),
        (7, 'Write `"work"` instead'),
        (7, 'Write `"codex-cli"` instead'),
        (7, 'Write one of `"claude-cli"`, `"codex-cli"` instead'),
    ]
    assert seen.findings[0].error.message.endswith("there is no seat or key `worc`")


def test_values_that_are_right_hold_beside_those_that_are_not(config: Path, project: Path) -> None:
    (config / FILE_NAME).write_text(BROKEN, "utf-8")
    (project / FILE_NAME).write_text("[session]\nmax_messages = 3\n[pool]\nsize = 3", "utf-8")
    seen = inspect({"ONESEAT_MODEL": "haiku", "ONESEAT_LOG": "loud"}, project, config)
    assert seen.files == (str(config / FILE_NAME), str(project / FILE_NAME))
    in_force = {each.name: (each.value, each.source) for each in seen.settings}
    assert in_force["watchdog.tool_s"] == (5.0, str(config / FILE_NAME))
    assert in_force["session.max_messages"] == (3, str(project / FILE_NAME))
    assert in_force["claude.model"] == ("haiku", "variable ONESEAT_MODEL")
    assert in_force["pool.size"] == (1, "default")
    assert in_force["keys.three.day_budget_usd"] == (3.0, str(config / FILE_NAME))
    assert [(each.file, each.error.code) for each in seen.findings[-2:]] == [
        (str(project / FILE_NAME), "usage.setting_not_allowed"),
        (None, "usage.bad_setting"),
    ]


def test_a_file_that_cannot_be_read_is_one_finding_at_its_place(config: Path, project: Path) -> None:
    (config / FILE_NAME).write_text("[claude]\nmodel 5", "utf-8")
    (project / FILE_NAME).write_bytes(b"#" * 70_000)
    assert [(each.file, each.line, each.column) for each in inspect({}, project, config).findings] == [
        (str(config / FILE_NAME), 2, 7),
        (str(project / FILE_NAME), None, None),
    ]


def test_without_a_file_nothing_is_wrong_and_defaults_hold(config: Path, project: Path) -> None:
    seen = inspect({}, project, config)
    assert (seen.files, seen.findings) == ((), ())
    assert {each.source for each in seen.settings} == {"default"}


def test_no_credential_of_an_address_is_shown(config: Path, project: Path) -> None:
    (config / FILE_NAME).write_text(
        '[keys.work]\nprovider = "openai"\nbase_url = "https://me:pw-1234@gateway.example"', "utf-8"
    )
    assert "pw-1234" not in repr(inspect({"ONESEAT_SIMULATOR_URL": "http://u:pw-1234@x"}, project, config))


LINES = st.sampled_from(
    [
        *BROKEN.splitlines(),
        "provider = 'openai'",
        "base_url = 'http://127.0.0.1:1'",
        "charges = false",
        "file = '/k'",
        "directory = '/d'",
        "[projects.a]",
        "[keys.a]",
        "[keys]",
        "keys = 1",
        "[simulator]",
        "url = 'http://127.0.0.1:1'",
        "x = [",
    ]
)


@settings(deadline=None)
@given(st.lists(LINES, max_size=8))
def test_a_check_finds_what_runs_refuse(lines: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder)
        (config / FILE_NAME).write_text("\n".join(lines), "utf-8")
        findings = inspect({}, config, config).findings
        refused = refusal(config)
        if refused is None:
            # What is left says of good values that they do not go together.
            assert all(" allows in all" in finding.error.message for finding in findings)
        else:
            assert refused in [finding.error.message for finding in findings]


def refusal(config: Path) -> str | None:
    """The words of whoever reads the settings of a run."""
    try:
        load({}, config, config)
        read_named(KEYS, config)
        read_named(PROJECTS, config)
    except UsageError as error:
        return error.info.message
    return None
