"""Which program is `codex`: named, in PATH, behind the script that npm installs; and which versions are driven."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from oneseat.contract.errors import OneseatError
from oneseat.providers.codex_cli import discovery


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    named = program(tmp_path / "my codex")
    assert discovery.find_executable(str(named), None) == str(named)
    in_path = program(tmp_path / "bin" / "codex")
    assert discovery.find_executable(None, str(in_path.parent)) == str(in_path)


@pytest.mark.parametrize("nested", [True, False], ids=["below the package", "beside it"])
def test_behind_the_script_of_npm_the_program_itself_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nested: bool
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    scope = tmp_path / "node_modules" / "@openai"
    script = program(scope / "codex" / "bin" / "codex.js")
    home = scope / "codex" / "node_modules" / "@openai" if nested else scope
    native = program(home / "codex-linux-x64" / "vendor" / "x86_64-unknown-linux-musl" / "bin" / "codex")
    link = tmp_path / "bin" / "codex"
    link.parent.mkdir()
    link.symlink_to(script)
    assert discovery.find_executable(None, str(link.parent)) == str(native)
    assert discovery.find_executable(str(link), None) == str(native)
    native.unlink()
    assert discovery.find_executable(None, str(link.parent)) == str(link)


@pytest.mark.parametrize(
    ("make", "code"), [("nothing", "provider.not_found"), ("plain", "provider.cannot_start")]
)
def test_what_is_no_program_is_said_to_be_none(tmp_path: Path, make: str, code: str) -> None:
    path = tmp_path / "codex"
    if make == "plain":
        path.write_text("x")
    with pytest.raises(OneseatError) as refused:
        discovery.find_executable(str(path), None)
    assert refused.value.info.code == code
    with pytest.raises(OneseatError) as refused:
        discovery.find_executable(None, str(tmp_path / "nowhere"))
    assert refused.value.info.code == "provider.not_found"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("codex-cli 0.169.0", (0, 169, 0)),
        ("oneseat/0.170.1 (Debian 12.0.0; x86_64) unknown (oneseat; 0.1)", (0, 170, 1)),
        ("no version", None),
        ("", None),
    ],
)
def test_versions_are_read(text: str, version: tuple[int, int, int] | None) -> None:
    assert discovery.parse_version(text) == version


def test_an_older_one_is_refused_and_a_newer_one_is_not() -> None:
    with pytest.raises(OneseatError) as refused:
        discovery.check_version("0.168.9")
    assert refused.value.info.code == "provider.too_old"
    for version in (None, "0.169.0", "0.200.0", "1.0.0"):
        discovery.check_version(version)
