"""Setting a checkout up: which CLI is chosen, what is stamped, and what a person reads when it cannot be done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oneseat.providers.claude_cli import discovery
from scripts import bootstrap

ROOT = Path(bootstrap.__file__).resolve().parents[1]


def fake_cli(path: Path, prints: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{prints}'\n", "utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty PATH and a checkout whose tools live in a scratch folder."""
    monkeypatch.setattr(bootstrap, "TOOLS", tmp_path / "tools")
    monkeypatch.delenv("ONESEAT_CLAUDE_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


@pytest.fixture
def private(machine: Path) -> Path:
    """A private copy that was installed before."""
    return fake_cli(
        machine / f"tools/claude-{bootstrap.NEWEST_CLI}/claude", f"{bootstrap.NEWEST_CLI} (Claude Code)"
    )


def test_the_versions_are_those_the_product_is_tested_with() -> None:
    ends = [".".join(map(str, version)) for version in (discovery.OLDEST, discovery.NEWEST)]
    assert ends == [bootstrap.OLDEST_CLI, bootstrap.NEWEST_CLI]
    for version in ends:
        lock = json.loads((ROOT / "scripts/claude-cli" / version / "package-lock.json").read_text("utf-8"))
        assert lock["packages"]["node_modules/@anthropic-ai/claude-code"]["version"] == version


@pytest.mark.parametrize(
    ("prints", "version"),
    [("2.1.197 (Claude Code)", "2.1.197"), ("2.1.197", None), ("claude 1.0", None), ("", None)],
)
def test_a_version_is_only_what_an_official_cli_prints(
    tmp_path: Path, prints: str, version: str | None
) -> None:
    assert bootstrap.cli_version(str(fake_cli(tmp_path / "claude", prints))) == version


def test_a_program_that_does_not_start_has_no_version(tmp_path: Path) -> None:
    assert bootstrap.cli_version(str(tmp_path / "missing")) is None


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (bootstrap.OLDEST_CLI, True),
        (bootstrap.NEWEST_CLI, True),
        ("2.1.20", False),
        ("2.2.0", False),
        (None, False),
    ],
)
def test_the_tested_range_compares_numbers_not_text(version: str | None, expected: bool) -> None:
    assert bootstrap.in_tested_range(version) is expected


def fake_python(path: Path, minor: int, *, ends_with: int = 0) -> Path:
    """A program that answers as a Python 3.``minor`` does, and then ends with an exit code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '3 {minor} {path}'\nexit {ends_with}\n", "utf-8")
    path.chmod(0o755)
    return path


def test_the_python_that_runs_the_tests_is_found_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(os.path.realpath(sys.executable)).parent))
    found = bootstrap.find_python(sys.version_info.minor)
    assert found is not None
    assert os.path.realpath(found) == os.path.realpath(sys.executable)


def test_a_shim_of_pyenv_for_an_unselected_version_leads_to_the_installed_one(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(machine / "shims"))
    fake_python(machine / "shims/python3.13", 13, ends_with=127)
    assert bootstrap.find_python(13) is None
    installed = fake_python(machine / "versions/3.13.5/bin/python3.13", 13)
    assert bootstrap.find_python(13) == str(installed)
    assert bootstrap.find_python(12) is None


def test_a_program_of_another_version_or_one_that_does_not_start_is_passed_over(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{machine / 'one'}:{machine / 'two'}:{machine / 'three'}")
    fake_python(machine / "one/python3.14", 13)
    fake_python(machine / "two/python3.14", 14).write_text("not a program", "utf-8")
    right = fake_python(machine / "three/python3.14", 14)
    assert bootstrap.find_python(14) == str(right)


def test_an_environment_of_another_python_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("one", "utf-8")
    fake_python(tmp_path / "venv/bin/python", 11)
    ours = bootstrap.wanted(tmp_path / "venv", lock)
    monkeypatch.setattr(sys, "executable", str(fake_python(tmp_path / "python3.13", 13)))
    other = bootstrap.wanted(tmp_path / "venv", lock)
    assert {name for name in ours if ours[name] != other[name]} == {"python"}


def test_the_cli_a_person_names_is_taken(
    machine: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = fake_cli(machine / "mine/claude", "2.0.0 (Claude Code)")
    monkeypatch.setenv("ONESEAT_CLAUDE_PATH", str(named))
    assert bootstrap.choose_cli(any_tested=False) == named


def test_a_named_cli_that_does_not_work_is_an_error(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONESEAT_CLAUDE_PATH", str(machine / "missing"))
    with pytest.raises(bootstrap.SetupError, match="does not name a working `claude` CLI"):
        bootstrap.choose_cli(any_tested=True)


@pytest.mark.parametrize(
    ("version", "any_tested", "from_path"),
    [
        (bootstrap.NEWEST_CLI, False, True),
        (bootstrap.OLDEST_CLI, False, False),
        (bootstrap.OLDEST_CLI, True, True),
        ("2.1.196", True, False),
        ("9.9.9", True, False),
    ],
)
def test_a_cli_on_path_is_taken_when_it_is_tested(
    machine: Path, private: Path, version: str, any_tested: bool, from_path: bool
) -> None:
    on_path = fake_cli(machine / "bin/claude", f"{version} (Claude Code)")
    assert bootstrap.choose_cli(any_tested=any_tested) == (on_path if from_path else private)


def test_without_npm_a_person_is_told_what_to_install(machine: Path) -> None:
    with pytest.raises(bootstrap.SetupError, match="npm was not found") as caught:
        bootstrap.choose_cli(any_tested=True)
    assert "ONESEAT_CLAUDE_PATH" in caught.value.hint


def test_the_program_is_found_although_the_install_script_never_ran(tmp_path: Path) -> None:
    packages = tmp_path / "node_modules/@anthropic-ai"
    fake_cli(packages / "claude-code/bin/claude.exe", "error: native binary not installed")
    fake_cli(packages / "claude-code-linux-x64-musl/claude", "wrong libc")
    native = fake_cli(packages / "claude-code-linux-x64/claude", "2.1.329 (Claude Code)")
    assert bootstrap.native_binary(tmp_path, "2.1.329") == native


def test_an_installed_package_without_a_working_program_is_an_error(tmp_path: Path) -> None:
    fake_cli(tmp_path / "node_modules/@anthropic-ai/claude-code/bin/claude.exe", "1.0.0 (Claude Code)")
    with pytest.raises(bootstrap.SetupError, match=r"not version 2\.1\.329\n  tried: .*claude\.exe"):
        bootstrap.native_binary(tmp_path, "2.1.329")


def test_what_a_target_needs_is_written_for_the_shell(machine: Path, private: Path) -> None:
    bootstrap.ensure_cli("demo")
    shown = subprocess.run(
        ["/bin/sh", "-c", f'. "{machine}/tools/demo.env"; printf %s "$ONESEAT_CLAUDE_PATH"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == str(private)


def test_a_changed_lock_asks_for_a_new_environment_and_a_changed_version_does_not(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("one", "utf-8")
    first = bootstrap.wanted(tmp_path / "venv", lock)
    lock.write_text("two", "utf-8")
    second = bootstrap.wanted(tmp_path / "venv", lock)
    assert {name for name in first if first[name] != second[name]} == {"packages"}


@pytest.mark.parametrize("stamp", ["", "{", "[]", "null"])
def test_a_broken_stamp_counts_as_never_set_up(tmp_path: Path, stamp: str) -> None:
    (tmp_path / bootstrap.STAMP).write_text(stamp, "utf-8")
    assert bootstrap.stamp_of(tmp_path) == {}


def test_a_second_set_up_waits_until_the_first_and_its_steps_have_ended(machine: Path) -> None:
    holds = (
        "import subprocess, sys\n"
        "from pathlib import Path\n"
        "from scripts import bootstrap\n"
        f"bootstrap.TOOLS = Path({str(machine / 'tools')!r})\n"
        "with bootstrap.only_one():\n"
        "    step = subprocess.Popen(['/bin/cat'], stdin=0, stdout=subprocess.DEVNULL, close_fds=False)\n"
        "    print('held', flush=True)\n"
        "    bootstrap.os._exit(9)\n"
    )
    waits = (
        "from pathlib import Path\n"
        "from scripts import bootstrap\n"
        f"bootstrap.TOOLS = Path({str(machine / 'tools')!r})\n"
        "with bootstrap.only_one(): print('mine')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", holds], env=env, stdin=pipe, stdout=pipe, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        first.wait()
        with subprocess.Popen(
            [sys.executable, "-c", waits], env=env, stdout=pipe, stderr=pipe, text=True
        ) as second:
            assert second.stderr is not None
            assert "waiting for it" in second.stderr.readline()
            assert second.poll() is None
            assert first.stdin is not None
            first.stdin.close()  # the step reads its end and exits, and with it goes the lock
            assert second.communicate() == ("mine\n", "")


def test_a_failed_step_shows_its_own_last_words() -> None:
    with pytest.raises(bootstrap.SetupError, match=r"(?s)exit code 3: `/bin/sh -c .*  no network"):
        bootstrap.run(["/bin/sh", "-c", "echo no network >&2; exit 3"])


def test_an_error_ends_in_the_words_every_face_uses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bootstrap.fail(bootstrap.SetupError("It failed: `x`\n  because", "try y"))
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: It failed: `x`\n  because\n\nhint: try y\n"
