"""Every command that a page shows is run, with the real CLI on a simulator, and prints what the page shows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneseat.testing import Simulator

from .pages import Block, Step, blocks, name_of, steps, written_pages
from .session import Session, as_pattern

#: What only a person can do, or only once on a machine: it needs a login, a network, or is this very test run.
NOT_FOR_TESTS = re.compile(
    r"npm install -g @(anthropic-ai/claude-code|openai/codex)|codex login|claude|claude setup-token|cd oneseat"
    r"|pipx? install \.|make (demo|test)"
    r"|source <\(oneseat completion bash\)|export CLAUDE_CODE_OAUTH_TOKEN=\.\.\."
)
LANGUAGES = {"", "console", "html", "ini", "python", "sh", "text", "toml"}
EVERY = [block for page in written_pages() for block in blocks(page)]
RUN = [block for block in EVERY if block.named("not run") is None]
CONSOLE_PAGES = sorted({block.page for block in RUN if block.language == "console"})
SCRIPTS = [block for block in RUN if block.language == "sh"]
PROGRAMS = [block for block in EVERY if block.language == "python"]
IN_THE_BACKGROUND = "in the background"


@pytest.fixture
def session(
    scratch_environment: Path, claude_path: Path, simulator: Simulator, request: pytest.FixtureRequest
) -> Iterator[Session]:
    """The machine of one reader."""
    label = re.sub(r"\W+", "-", request.node.name).strip("-")
    running = Session(scratch_environment, claude_path, simulator, label)
    try:
        yield running
    finally:
        running.close()


# A page is up to thirty starts of the real CLI, one after the other.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", CONSOLE_PAGES, ids=name_of)
def test_every_command_prints_what_its_page_shows(page: Path, session: Session) -> None:
    shown = [block for block in RUN if block.page == page and block.language == "console"]
    ran = [each for block in shown if block.note == IN_THE_BACKGROUND for each in session.start(block)]
    ran += session.run([block for block in shown if block.note != IN_THE_BACKGROUND])
    for step, printed in ran:
        expected, seen = session.stable(step.output), session.stable(printed)
        if re.fullmatch(as_pattern(expected), f"{seen}\n" if seen else "") is None:
            changes = difflib.ndiff(expected.splitlines(), seen.splitlines())
            pytest.fail("\n".join([f"$ {step.command}", *changes]), pytrace=False)


@pytest.mark.parametrize("block", SCRIPTS, ids=lambda block: block.place)
def test_every_script_runs(block: Block, session: Session) -> None:
    done = session.run_script(block)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.place)
def test_every_program_runs_and_prints_what_its_comments_say(block: Block, session: Session) -> None:
    done = session.run_python(block)
    assert done.returncode == 0, done.stdout
    comments = re.findall(r"^ *print\(.*\)  # (.+)$", block.text, re.MULTILINE)
    printed = iter(session.stable(done.stdout).splitlines())
    # In this order, with anything in between: a loop prints one line more than once.
    assert [comment for comment in comments if comment not in printed] == [], done.stdout


@pytest.mark.parametrize(
    "block", [block for block in EVERY if block.named("not run") is not None], ids=lambda block: block.place
)
def test_what_is_not_run_is_only_what_no_test_may_run(block: Block) -> None:
    commands = [line.partition("  #")[0].strip() for line in block.text.splitlines()]
    assert [line for line in commands if line and not NOT_FOR_TESTS.fullmatch(line)] == []


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    assert [block.place for block in EVERY if block.language not in LANGUAGES] == []
    notes = re.compile(r"|not run: .+|(simulator|fake|settings): [\w:.-]+|in the background")
    assert [block.place for block in EVERY if not notes.fullmatch(block.note)] == []
    assert CONSOLE_PAGES
    assert PROGRAMS


def test_a_console_block_falls_into_commands_and_what_they_print() -> None:
    block = Block(Path("page.md"), 1, "console", "$ one \\\n> two\nout\n\nput\n$ three\n", "")
    assert list(steps(block)) == [Step("one \\\ntwo", "out\n\nput"), Step("three", "")]


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("one\n...\nlast", "one\n2\n3\nlast\n", True),
        ("one\n...\nlast", "one\nlast\n", True),
        ("one\n...\nlast", "one\n2\n", False),
        ("a.c", "abc\n", False),
        ("", "", True),
        ("", "something\n", False),
    ],
)
def test_three_dots_stand_for_any_lines_and_nothing_else_does(shown: str, printed: str, fits: bool) -> None:
    assert (re.fullmatch(as_pattern(shown), printed) is not None) is fits
