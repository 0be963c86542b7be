"""What can be seen of the process that answers: whatever a script around the CLI did to it, and nothing of a stranger."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.facts import CredentialSource
from oneseat.host.processes.tree import MARKER
from oneseat.providers.cli_common.process_check import ProcessCheck, inspect_process

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


def added(name: str, kind: str) -> CredentialSource:
    return CredentialSource(name=name, kind=kind, scope="child", place=PLACE)  # type: ignore[arg-type]


def test_a_child_that_runs_as_it_was_started_is_nothing_to_speak_of() -> None:
    with running(GIVEN) as (started, answered):
        assert inspect_process(started, answered, RUN, GIVEN, CLAUDE_NAMES) == ProcessCheck()
        assert inspect_process(started, None, RUN, GIVEN, CLAUDE_NAMES) == ProcessCheck()


def test_a_process_below_the_started_one_is_looked_at_too() -> None:
    with running(GIVEN, program=BELOW) as (started, answered):
        assert started != answered
        assert inspect_process(started, answered, RUN, GIVEN, CLAUDE_NAMES) == ProcessCheck()


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
        seen = inspect_process(started, answered, RUN, GIVEN, CLAUDE_NAMES)
    assert seen == ProcessCheck((added(next(iter(change)), kind),))


@pytest.mark.parametrize("name", ["HOME", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL"])
@pytest.mark.parametrize("left", [None, ""])
def test_what_was_taken_away_is_named(name: str, left: str | None) -> None:
    env = {key: value for key, value in GIVEN.items() if key != name}
    with running(env if left is None else {**env, name: left}) as (started, answered):
        seen = inspect_process(started, answered, RUN, GIVEN, CLAUDE_NAMES)
    assert seen.tampering == f"its environment is not the one oneseat gave it: `{name}` is missing"


@pytest.mark.parametrize("run_id", [None, "another-run"])
def test_a_child_without_the_marker_of_its_run_is_not_the_one_that_was_started(run_id: str | None) -> None:
    with running({**GIVEN, "ANTHROPIC_CUSTOM_HEADERS": "x"}, run_id=run_id) as (started, answered):
        seen = inspect_process(started, answered, RUN, GIVEN, CLAUDE_NAMES)
    assert (
        seen.tampering == f"its environment is not the one oneseat gave it: `{MARKER}` is missing or changed"
    )
    # Whoever replaced the environment did so for a reason: it is read all the same.
    assert seen.sources == (added("ANTHROPIC_CUSTOM_HEADERS", "headers"),)


def test_a_cli_that_was_told_to_ignore_every_login_is_named() -> None:
    with running(GIVEN, "--bare") as (started, answered):
        seen = inspect_process(started, answered, RUN, GIVEN, CLAUDE_NAMES)
    assert seen.tampering == "its command line has `--bare`, which makes it ignore every login"


def test_a_stranger_that_answers_is_not_read() -> None:
    with running(GIVEN) as (started, _):
        seen = inspect_process(started, os.getpid(), RUN, {}, CLAUDE_NAMES)
    assert seen.tampering == f"process `{os.getpid()}`, which answered, was not started by oneseat"
    assert {source.name for source in seen.sources} == {*GIVEN} - {"LANG"}


def test_a_process_that_is_gone_cannot_be_read() -> None:
    with running(GIVEN) as (started, answered):
        pass
    seen = inspect_process(started, answered, RUN, GIVEN, CLAUDE_NAMES)
    assert seen.readable is False
    assert seen.tampering == (f"process `{started}` cannot be read" if sys.platform == "linux" else None)
