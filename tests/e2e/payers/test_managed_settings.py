"""What an administrator sets applies to the CLI whatever oneseat does, so anything there that can move the bill is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import Behaviour, Simulator
from tests.e2e.credential_rows import BEDROCK, ELSEWHERE, HELPER, KEY, KEY_HEADER, LOGIN, PLANTED, TOKEN, env
from tests.e2e.driving import KILL_AFTER_S, ONESEAT, Done, Seat, done, fake_seat

#: Settings that can move the bill, and the name that has to be shown for each.
DANGEROUS = {
    "ANTHROPIC_API_KEY": env(KEY),
    "ANTHROPIC_AUTH_TOKEN": env(TOKEN),
    "ANTHROPIC_BASE_URL": env(ELSEWHERE),
    "ANTHROPIC_CUSTOM_HEADERS": env(KEY_HEADER),
    "CLAUDE_CODE_OAUTH_TOKEN": env(LOGIN),
    "CLAUDE_CODE_USE_BEDROCK": env(BEDROCK),
    "apiKeyHelper": HELPER,
}
HARMLESS = {"permissions": {"deny": ["WebFetch"]}, "env": {"EDITOR": "vi", "ANTHROPIC_API_KEY": ""}}
#: What the CLI needs to find in a folder for administrators, and what else of it any program may look up.
ADMINISTRATION = Path("claude-code")
LOOKED_UP = ("passwd", "group", "hosts", "nsswitch.conf", "resolv.conf")
IN_PLACE = 'mount --bind "$0" /etc && exec "$@"'


def own_view() -> Iterator[tuple[str, ...]]:
    """The ways of this machine to give a process its own view of `/etc`, none of them on macOS and in most containers."""
    ways: tuple[tuple[str, ...], ...] = (("unshare", "-m"), ("unshare", "-Urm"))
    for way in ways if shutil.which("unshare") else ():
        tried = subprocess.run([*way, "sh", "-c", IN_PLACE, "/etc", "true"], capture_output=True, check=False)
        if tried.returncode == 0:
            yield way
            return


#: Where it is possible, the real CLI reads real administrator's settings. The fake below shows the rest everywhere.
with_own_view = pytest.mark.parametrize("way", list(own_view()), ids=" ".join)


class Administered:
    """A machine with managed settings: a seat on the real CLI, below an `/etc` of its own."""

    def __init__(self, way: Sequence[str], root: Path, cli: Path, simulator: Simulator) -> None:
        self.seat = Seat(root, cli, simulator)
        self._etc = root / "etc"
        self._inside = (*way, "sh", "-c", IN_PLACE, str(self._etc))
        (self._etc / ADMINISTRATION / "managed-settings.d").mkdir(parents=True)
        for file in LOOKED_UP:
            shutil.copy(Path("/etc", file), self._etc / file)

    def sets(self, settings: object, file: str = "managed-settings.json") -> None:
        (self._etc / ADMINISTRATION / file).write_text(json.dumps(settings))

    def hide(self, root: Path) -> None:
        """Show the settings to the CLI only, as a container around it would."""
        script = root / "claude"
        script.write_text(
            "#!/bin/sh\nexec "
            + " ".join(f"'{word}'" for word in (*self._inside, self.seat.env["ONESEAT_CLAUDE_PATH"]))
            + ' "$@"\n'
        )
        script.chmod(0o700)
        self.seat.env["ONESEAT_CLAUDE_PATH"] = str(script)
        self._inside = ()

    def run(self, *arguments: str) -> Done:
        ended = subprocess.run(
            [*self._inside, ONESEAT, *arguments],
            env=self.seat.env,
            cwd=self.seat.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=KILL_AFTER_S,
            check=False,
        )
        return done(arguments, ended.returncode, ended.stdout, ended.stderr)


def check_refused(ended: Done, name: str, place: str) -> None:
    error, receipt = ended.result["error"], ended.result["receipt"]
    assert (ended.code, ended.result["status"], error["code"]) == (
        3,
        "refused",
        "billing.managed_settings",
    ), ended
    assert f"`{name}`" in error["message"]
    assert f"`{place}`" in error["message"]
    assert error["hint"].startswith("Ask the administrator of this machine")
    assert receipt["verdict"] == "nothing_sent"
    assert {"what": f"present:{name}", "value": place, "when": "before"} in receipt["evidence"]
    assert PLANTED not in ended.stdout + ended.stderr


# One of each kind: a key, a variable that moves the bill without one, and a setting. The fake below lists every name.
@with_own_view
@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_BEDROCK", "apiKeyHelper"])
def test_an_administrators_setting_is_refused_before_anything_is_sent(
    name: str, way: tuple[str, ...], tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    machine = Administered(way, tmp_path, claude_path, simulator)
    machine.sets(DANGEROUS[name])
    check_refused(machine.run("run", "say ok", "--json"), name, "/etc/claude-code/managed-settings.json")
    assert simulator.messages() == []


@with_own_view
def test_a_drop_in_file_counts_like_the_main_one(
    way: tuple[str, ...], tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    machine = Administered(way, tmp_path, claude_path, simulator)
    machine.sets(HARMLESS)
    machine.sets(env(KEY_HEADER), "managed-settings.d/10-proxy.json")
    place = "/etc/claude-code/managed-settings.d/10-proxy.json"
    check_refused(machine.run("run", "say ok", "--json"), "ANTHROPIC_CUSTOM_HEADERS", place)
    assert simulator.messages() == []


@with_own_view
def test_settings_that_only_the_cli_can_see_are_refused_too(
    way: tuple[str, ...], tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    machine = Administered(way, tmp_path, claude_path, simulator)
    machine.sets(env(KEY_HEADER))
    machine.hide(tmp_path)
    check_refused(machine.run("run", "say ok", "--json"), "ANTHROPIC_CUSTOM_HEADERS", "managed settings")
    assert simulator.messages() == []


@with_own_view
def test_an_administrators_other_settings_are_no_matter(
    way: tuple[str, ...], tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    machine = Administered(way, tmp_path, claude_path, simulator)
    machine.sets(HARMLESS)
    ended = machine.run("run", "say ok", "--json")
    assert (ended.code, ended.result["receipt"]["verdict"]) == (0, "verified"), ended
    assert len(simulator.messages()) == 1


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_the_cli_itself_lists_as_managed_is_refused(name: str, tmp_path: Path) -> None:
    block: dict[str, Any] = DANGEROUS[name]
    answer = {"effective": block, "sources": [{"source": "policySettings", "settings": block}]}
    seat, _ = fake_seat(tmp_path, Behaviour(answers={"get_settings": answer}))
    check_refused(seat.run("run", "say ok", "--json"), name, "managed settings")


@with_own_view
def test_the_doctor_names_whom_to_ask(
    way: tuple[str, ...], tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    machine = Administered(way, tmp_path, claude_path, simulator)
    machine.sets(env(KEY_HEADER))
    ended = machine.run("doctor", "--json")
    (problem,) = [it for it in ended.result["findings"] if it["level"] == "problem"]
    assert (ended.code, problem["code"]) == (3, "billing.managed_settings")
    assert problem["fix"].startswith(
        "Ask the administrator of this machine to remove `ANTHROPIC_CUSTOM_HEADERS`"
    )
    assert PLANTED not in ended.stdout + ended.stderr
