"""What has changed between the gate's decision and the prompt, and where the CLI looks for it."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oneseat.providers.claude_cli.credentials import ClaudePaths, Watch, login_facts, reaching

ADDRESS = {"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}}
#: The same word in both forms of Unicode.
COMPOSED = unicodedata.normalize("NFC", "caf\u00e9")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


class Machine:
    """A machine with an administrator's folder of its own, on which a CLI has started and the gate has looked."""

    def __init__(self, root: Path) -> None:
        self.home, self.managed = root / "home", root / "etc" / "claude-code"
        self.config = self.home / ".claude"
        for folder in (self.config, self.managed.parent):
            folder.mkdir(parents=True)
        self.env = {"HOME": str(self.home)}
        write(self.home / ".claude.json", {"numStartups": 1})
        write(self.config / ".credentials.json", login("max"))

    def watch(self) -> Watch:
        places = msgspec.structs.replace(ClaudePaths.find(self.env, self.home), managed_dir=self.managed)
        watch = Watch(places, self.env)
        watch.look()
        return watch


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def login(plan: str, expires: int = 1) -> dict[str, Any]:
    return {"claudeAiOauth": {"accessToken": "x", "expiresAt": expires, "subscriptionType": plan}}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_has_changed_on_a_quiet_machine(machine: Machine) -> None:
    watch = machine.watch()
    assert (watch.changed(), watch.overtaken()) == (None, None)


@pytest.mark.parametrize("name", ["managed-settings.json", "managed-settings.d/10-proxy.json"])
@pytest.mark.parametrize("there", [True, False])
def test_a_managed_file_that_came_and_went_has_changed(machine: Machine, name: str, there: bool) -> None:
    if there:
        (machine.managed / name).parent.mkdir(parents=True)
    watch = machine.watch()
    path = write(machine.managed / name, ADDRESS)
    assert watch.changed() == str(path)
    path.unlink()
    assert watch.changed() is not None
    watch.settle()
    watch.look()  # as when the gate asks again
    assert watch.changed() is not None


def test_a_managed_file_with_another_content_for_a_moment_has_changed(machine: Machine) -> None:
    path = write(machine.managed / "managed-settings.json", {})
    watch, was = machine.watch(), path.stat()
    write(path, ADDRESS)
    write(path, {})
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert watch.changed() == str(path)


def test_a_folder_that_another_one_replaced_for_a_moment_has_changed(machine: Machine) -> None:
    write(machine.managed / "managed-settings.json", {})
    watch, aside = machine.watch(), machine.managed.with_name("aside")
    machine.managed.rename(aside)
    aside.rename(machine.managed)
    assert watch.overtaken() is not None


def test_what_else_changes_beside_the_folder_is_no_matter_once_the_process_has_started(
    machine: Machine,
) -> None:
    """Networks and package managers write there all the time."""
    watch = machine.watch()
    watch.settle()
    write(machine.managed.parent / "resolv.conf", "x").unlink()
    assert (watch.changed(), watch.overtaken()) == (None, None)
    path = write(machine.managed / "managed-settings.json", {})
    assert watch.changed() == str(path)


def test_what_the_cli_writes_itself_changes_nothing(machine: Machine) -> None:
    watch = machine.watch()
    write(machine.home / "new", {}).replace(machine.home / ".claude.json")
    write(machine.config / ".credentials.json", login("max", expires=2))
    assert watch.changed() is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".claude.json", ADDRESS),
        (".claude/.config.json", ADDRESS),
        (".claude.json", {"primaryApiKey": "x"}),
        (".claude/remote-settings.json", ADDRESS),
        (".claude/.credentials.json", login("api")),
    ],
)
def test_what_decides_in_another_file_has_changed_as_long_as_it_is_there(
    machine: Machine, name: str, content: Any
) -> None:
    path = machine.home / name
    before = path.read_bytes() if path.exists() else None
    watch = machine.watch()
    write(path, content)
    assert watch.changed() == str(path)
    assert watch.overtaken() is None
    path.unlink() if before is None else path.write_bytes(before)
    assert watch.changed() is None


@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("there", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("moved", [True, False])
def test_a_source_is_found_however_the_folder_is_spelt(
    tmp_path: Path, written: str, there: str, moved: bool
) -> None:
    """The CLI composes the name of its folder, whatever the variable says."""
    named, found = tmp_path / written, tmp_path / there
    env = {"CLAUDE_CONFIG_DIR": str(named)} if moved else {"HOME": str(named)}
    write((found if moved else found / ".claude") / ".config.json", ADDRESS)
    assert [source.name for source in reaching(env, tmp_path)] == ["ANTHROPIC_BASE_URL"]


def test_the_login_is_looked_for_where_the_cli_looks(tmp_path: Path) -> None:
    write(tmp_path / COMPOSED / ".credentials.json", login("max"))
    places = ClaudePaths.find({"CLAUDE_CONFIG_DIR": str(tmp_path / DECOMPOSED)}, tmp_path)
    assert login_facts({}, places.config_dir).subscription == "max"


def test_a_way_back_out_of_a_link_is_shortened_as_the_cli_does(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "below")
    named = f"{tmp_path}/link/../config"
    for folder in (tmp_path / "config", tmp_path / "elsewhere" / "config"):
        path = write(folder / ".config.json", ADDRESS)
        assert reaching({"CLAUDE_CONFIG_DIR": named}, tmp_path)
        path.unlink()
    assert not reaching({"CLAUDE_CONFIG_DIR": named}, tmp_path)


def test_a_name_that_is_not_utf8_is_read_as_the_cli_reads_it(tmp_path: Path) -> None:
    write(tmp_path / "caf\ufffd" / ".config.json", ADDRESS)
    assert reaching({"CLAUDE_CONFIG_DIR": os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")}, tmp_path)
