"""What can be seen of the process that answers: whatever a script around the CLI did to it, and nothing of a stranger."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.facts import CredentialSource
from oneseat.host.processes.tree import MARKER
from oneseat.providers.cli_common.process_check import ProcessCheck, StartedAs, inspect_process

RUN = "0123456789ab"
#: What oneseat would have given to the child.
GIVEN = {
    "HOME": "/home/owner",
    "CLAUDE_CODE_OAUTH_TOKEN": "made-up",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "LANG": "C",
}
PLACE = "environment of the CLI process"
#: Says who it is, then waits for the end of its input.
WAITS = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
#: The same, as the child of a process that waits for it.
BELOW = f"import subprocess, sys; subprocess.run([sys.executable, '-IS', '-c', {WAITS!r}], stdin=sys.stdin, check=True)"


@contextlib.contextmanager
def running(
    env: dict[str, str], *arguments: str, program: str = WAITS, run_id: str | None = RUN
) -> Iterator[tuple[int, int]]:
    """A process with exactly this environment: the pid of the one that was started, and of the one that answered."""
    marker = {} if run_id is None else {MARKER: run_id}
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", program, *arguments],
        env={**env, **marker},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.communicate()


def seen_of(started: int, answered: int | None, given: dict[str, str]) -> ProcessCheck:
    argv = [sys.executable, "-IS", "-c", WAITS]
    return inspect_process(StartedAs(started, argv, {**given, MARKER: RUN}), answered, CLAUDE_NAMES)


def added(name: str, kind: str) -> CredentialSource:
    return CredentialSource(name=name, kind=kind, scope="child", place=PLACE)  # type: ignore[arg-type]


def test_a_child_that_runs_as_it_was_started_is_nothing_to_speak_of() -> None:
    with running(GIVEN) as (started, answered):
        assert seen_of(started, answered, GIVEN) == ProcessCheck()
        assert seen_of(started, None, GIVEN) == ProcessCheck()


def test_a_process_below_the_started_one_is_looked_at_too() -> None:
    with running(GIVEN, program=BELOW) as (started, answered):
        assert started != answered
        assert seen_of(started, answered, GIVEN) == ProcessCheck()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"ANTHROPIC_CUSTOM_HEADERS": "x"}, "headers"),
        ({"ANTHROPIC_BASE_URL": "x"}, "base_url"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "another"}, "oauth_token"),
        ({"HOME": "/home/another"}, "login"),
    ],
)
@pytest.mark.parametrize("program", [WAITS, BELOW])
def test_what_was_added_or_replaced_is_named(change: dict[str, str], kind: str, program: str) -> None:
    with running({**GIVEN, **change}, program=program) as (started, answered):
        seen = seen_of(started, answered, GIVEN)
    assert seen == ProcessCheck((added(next(iter(change)), kind),))


@pytest.mark.parametrize("name", ["HOME", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL"])
@pytest.mark.parametrize("left", [None, ""])
def test_what_was_taken_away_is_named(name: str, left: str | None) -> None:
    env = {key: value for key, value in GIVEN.items() if key != name}
    with running(env if left is None else {**env, name: left}) as (started, answered):
        seen = seen_of(started, answered, GIVEN)
    assert seen.tampering == f"its environment is not the one oneseat gave it: `{name}` is missing"


@pytest.mark.parametrize("run_id", [None, "another-run"])
def test_a_child_without_the_marker_of_its_run_is_not_the_one_that_was_started(run_id: str | None) -> None:
    with running({**GIVEN, "ANTHROPIC_CUSTOM_HEADERS": "x"}, run_id=run_id) as (started, answered):
        seen = seen_of(started, answered, GIVEN)
    assert (
        seen.tampering == f"its environment is not the one oneseat gave it: `{MARKER}` is missing or changed"
    )
    # Whoever replaced the environment did so for a reason: it is read all the same.
    assert seen.sources == (added("ANTHROPIC_CUSTOM_HEADERS", "headers"),)


def test_a_cli_that_was_told_to_ignore_every_login_is_named() -> None:
    with running(GIVEN, "--bare") as (started, answered):
        seen = seen_of(started, answered, GIVEN)
    assert seen.tampering == "its command line has `--bare`, which makes it ignore every login"


def test_a_stranger_that_answers_is_not_read() -> None:
    with running(GIVEN) as (started, _):
        seen = seen_of(started, os.getpid(), GIVEN)
    assert seen.tampering == f"process `{os.getpid()}`, which answered, was not started by oneseat"
    assert seen.sources == ()


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "LD_AUDIT", "BUN_OPTIONS", "NODE_OPTIONS", "GLIBC_TUNABLES", "ANYTHING_ELSE"]
)
@pytest.mark.parametrize("program", [WAITS, BELOW])
def test_a_variable_that_is_not_known_to_be_harmless_is_named(name: str, program: str) -> None:
    with running({**GIVEN, name: ""}, program=program) as (started, answered):
        seen = seen_of(started, answered, GIVEN)
    assert seen.tampering is not None
    assert f"`{name}`" in seen.tampering


def test_another_behaviour_is_named() -> None:
    given = {**GIVEN, "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1"}
    for env in (GIVEN, {**GIVEN, "CLAUDE_CODE_DISABLE_ATTACHMENTS": "0"}):
        with running(env) as (started, answered):
            seen = seen_of(started, answered, given)
        assert "`CLAUDE_CODE_DISABLE_ATTACHMENTS`" in (seen.tampering or "")


def test_what_shells_and_proxies_need_is_harmless() -> None:
    added = {"PWD": "/", "SHLVL": "2", "_": "/bin/x", "PATH": "/opt/bin:/bin", "LC_ALL": "C"}
    added |= {"https_proxy": "http://proxy", "NODE_EXTRA_CA_CERTS": "/ca.pem", "ANTHROPIC_API_KEY": ""}
    with running({**GIVEN, **added}) as (started, answered):
        assert seen_of(started, answered, GIVEN) == ProcessCheck()


def test_a_variable_that_is_there_twice_is_named() -> None:
    """Of two values the check could see one, and the program use the other."""
    twice = f"""
import ctypes, os, sys
words = [b"{sys.executable}", b"-IS", b"-c", {WAITS.encode()!r}]
env = [f"{{name}}={{value}}".encode() for name, value in os.environ.items() if name != "LC_CTYPE"]
env += [b"ANTHROPIC_BASE_URL=http://127.0.0.1:1"]
array = lambda texts: (ctypes.c_char_p * (len(texts) + 1))(*texts, None)
ctypes.CDLL(None).execve(words[0], array(words), array(env))
"""
    with running(GIVEN, program=twice) as (started, answered):
        seen = seen_of(started, answered, GIVEN)
    assert "`ANTHROPIC_BASE_URL`" in repr(seen)
    assert seen != ProcessCheck()


def test_another_command_line_is_named() -> None:
    with running(GIVEN, "--settings", "{}") as (started, answered):
        seen = seen_of(started, answered, GIVEN)
    assert seen.tampering == "its command line is not the one oneseat gave it"


def test_a_program_that_another_one_loads_is_named() -> None:
    loader = next(Path("/").glob("lib*/ld-linux*.so*"))
    preloaded = f"import os, sys; os.execv('{loader}', ['{loader}', '--preload', '', *{[sys.executable, '-IS', '-c', WAITS]!r}])"
    with running(GIVEN, program=preloaded) as (started, answered):
        seen = seen_of(started, answered, GIVEN)
    assert seen.tampering is not None
    assert "through another program" in seen.tampering


def test_another_program_than_the_one_that_was_started_is_named() -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", "echo $$; read line"],
        env={**GIVEN, MARKER: RUN},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        argv = [sys.executable, "-c", "echo $$; read line"]
        seen = inspect_process(StartedAs(process.pid, argv, {**GIVEN, MARKER: RUN}), None, CLAUDE_NAMES)
        process.communicate()
    assert seen.tampering is not None
    assert "another program runs" in seen.tampering


def test_an_input_that_goes_through_something_else_is_named() -> None:
    with running(GIVEN) as (started, answered):
        argv = [sys.executable, "-IS", "-c", WAITS]
        began = StartedAs(started, argv, {**GIVEN, MARKER: RUN}, stdin=(1, 1))
        assert inspect_process(began, answered, CLAUDE_NAMES).tampering == (
            "its input is not the one oneseat writes to"
        )


def test_a_script_is_started_by_the_program_that_it_names(tmp_path: Path) -> None:
    script = tmp_path / "cli"
    script.write_text(f"#!{sys.executable} -IS\n{WAITS}\n")
    script.chmod(0o700)
    with subprocess.Popen(
        [script, "--print"], env={**GIVEN, MARKER: RUN}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        answered = int(process.stdout.readline())
        began = StartedAs(process.pid, [str(script), "--print"], {**GIVEN, MARKER: RUN})
        assert inspect_process(began, answered, CLAUDE_NAMES) == ProcessCheck()
        process.communicate()


def test_a_process_that_is_gone_cannot_be_read() -> None:
    with running(GIVEN) as (started, answered):
        pass
    seen = seen_of(started, answered, GIVEN)
    assert seen.readable is False
    assert seen.tampering == (f"process `{started}` cannot be read" if sys.platform == "linux" else None)
