"""No page names a command, an option, a setting, a code or a scenario that does not exist."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import oneseat
from oneseat import testing
from oneseat.cli.main import oneseat as program
from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.errors import EXIT_CODES
from oneseat.contract.receipt import Receipt
from oneseat.rules import doctor
from oneseat.settings import load, reference_rows
from oneseat.telemetry import otel
from oneseat.testing.scenarios import replies_for
from scripts.docs import EVENTS
from scripts.error_codes import CODES, EXITS

from .pages import README, ROOT, blocks, in_backticks, name_of, prose, visible, written_pages

SETTINGS = {row.name for row in reference_rows()}
VARIABLES = {row.variable for row in reference_rows()} - {None}
FAMILIES = sorted({name.partition(".")[0] for name in EXIT_CODES})
#: Variables that oneseat gives to its children, and nobody sets.
INTERNAL_VARIABLES = {"ONESEAT_RUN_ID", "ONESEAT_DEPTH"}
#: Options of other programs that pages speak of.
OTHERS_OPTIONS = {
    "--bare",
    "--disable-slash-commands",
    "--input-format",
    "--output-format",
    "--setting-sources",
    "--settings",
    "--verbose",
}
each_page = pytest.mark.parametrize("page", written_pages(), ids=name_of)


def commands() -> dict[str, click.Command]:
    context = click.Context(program)
    found = {name: program.get_command(context, name) for name in program.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def options() -> set[str]:
    groups = [command for command in commands().values() if isinstance(command, click.Group)]
    below = [command for group in groups for command in group.commands.values()]
    every = [program, *commands().values(), *below]
    return {name for command in every for parameter in command.params for name in parameter.opts} | {"--help"}


def doctor_codes() -> set[str]:
    """What the doctor's findings are called besides errors."""
    tree = ast.parse(Path(doctor.__file__).read_text("utf-8"))
    keywords = [
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for key in node.keywords
        if key.arg == "code"
    ]
    return {str(value.value) for value in keywords if isinstance(value, ast.Constant)}


def code_of(page: Path) -> list[str]:
    """Everything on a page that is set as code."""
    return [*in_backticks(page), *(block.text for block in blocks(page))]


def unknown(page: Path, pattern: str, known: Callable[[str], bool]) -> list[str]:
    """What ``pattern`` finds on a page, blocks included, and ``known`` does not know."""
    return sorted({name for name in re.findall(pattern, visible(page)) if not known(name)})


@each_page
def test_commands_exist(page: Path) -> None:
    assert unknown(page, r"(?:`|\$ |&& |\| |\()oneseat ([a-z]+)", commands().__contains__) == []


@each_page
def test_options_exist(page: Path) -> None:
    foreign = OTHERS_OPTIONS if page.name in {"facts.md", "design.md"} else set()
    assert unknown(page, r"(?<![\w-])--[a-z][a-z-]+", (options() | foreign).__contains__) == []


@each_page
def test_variables_exist(page: Path) -> None:
    assert unknown(page, r"\bONESEAT_[A-Z_]+", (VARIABLES | INTERNAL_VARIABLES).__contains__) == []


@each_page
def test_the_vendors_variables_are_in_the_table_of_names(page: Path) -> None:
    names = {entry.name for entry in CLAUDE_NAMES.variables}
    behaviour = (ROOT / "src/oneseat/providers/claude_cli/environment.py").read_text("utf-8")

    def known(name: str) -> bool:
        return (
            name in names
            or name in behaviour
            or any(name.startswith(entry.name) for entry in CLAUDE_NAMES.variables if entry.prefix)
        )

    assert unknown(page, r"\b(?:ANTHROPIC|CLAUDE)_[A-Z_]+", known) == []


@each_page
def test_settings_exist(page: Path) -> None:
    sections = "|".join(sorted({name.partition(".")[0] for name in SETTINGS if "." in name}))
    named = [re.match(rf"((?:{sections})\.[a-z_]+)(?: = .+)?$", text) for text in in_backticks(page)]
    assert [found[1] for found in named if found and found[1] not in SETTINGS | CODES.keys()] == []


@each_page
def test_codes_exist(page: Path) -> None:
    pattern = rf"(?<![\w./])((?:{'|'.join(FAMILIES)})\.[a-z_]+)(?![\w(/]|\.md)"
    codes = {code for text in code_of(page) for code in re.findall(pattern, text)}
    files = {code for code in codes if code.rpartition(".")[2] in {"csv", "db", "json", "py", "svg"}}
    assert sorted(codes - CODES.keys() - SETTINGS - files) == []


@each_page
def test_findings_exist(page: Path) -> None:
    first_words = {code.partition(".")[0] for code in doctor_codes()} - {"simulator"}
    named = [text for text in in_backticks(page) if re.match(rf"(?:{'|'.join(first_words)})\.[a-z_]+$", text)]
    assert sorted(set(named) - doctor_codes()) == []


@each_page
def test_exit_codes_exist(page: Path) -> None:
    assert unknown(page, r"exit\s+code\s+(\d+)", lambda code: int(code) in EXITS) == []


@each_page
def test_tables_of_exit_codes_are_right(page: Path) -> None:
    for table in re.findall(r"^\| exit \|.*\n\| --- .*\n((?:\|.*\n)+)", prose(page), re.MULTILINE):
        assert {int(row.split("|")[1]) for row in table.splitlines()} <= EXITS.keys()


def test_the_readme_lists_every_exit_code() -> None:
    (table,) = re.findall(r"^\| exit \|.*\n\| --- .*\n((?:\|.*\n)+)", prose(README), re.MULTILINE)
    listed = {int(row.split("|")[1]): row.split("|")[2].strip() for row in table.splitlines()}
    assert listed.keys() == EXITS.keys()
    assert [
        code for code, meaning in listed.items() if not EXITS[code].startswith(meaning.split(":")[0])
    ] == []


@each_page
def test_names_of_the_library_exist(page: Path) -> None:
    public = {
        *oneseat.__all__,
        "toml",
        "testing",
        "log",
        "telemetry",
        *re.findall(r'"oneseat\.(\w+)"', Path(otel.__file__).read_text("utf-8")),
    }  # a settings file, modules, where a cron job complains, and what is in a trace
    named = {name for text in code_of(page) for name in re.findall(r"\boneseat\.([A-Za-z_]+)", text)}
    assert sorted(named - public) == []
    assert unknown(page, r"\bevents\.([A-Z][A-Za-z]+)", {kind.__name__ for kind in EVENTS}.__contains__) == []


@each_page
def test_scenarios_exist(page: Path) -> None:
    for name in re.findall(r"/s/([\w.:-]+)", visible(page)):
        assert replies_for(name, {})


@each_page
def test_settings_files_can_be_used(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            (tmp_path / "oneseat.toml").write_text(block.text, "utf-8")
            load({}, tmp_path, tmp_path)  # raises for anything in it that is wrong
            assert tomllib.loads(block.text)


def test_words_of_the_receipt_are_the_ones_in_the_code() -> None:
    words = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "glossary.md").read_text("utf-8")))
    hints = Receipt.__annotations__
    wanted = {word for name in ("wallet", "verdict") for word in _literals(hints[name])}
    assert wanted <= words


def _literals(annotation: str) -> set[str]:
    from oneseat.contract import receipt

    return set(getattr(receipt, annotation).__args__)


def test_the_public_tools_for_tests_are_named() -> None:
    page = (ROOT / "docs" / "guides" / "test-your-scripts.md").read_text("utf-8")
    imported = set(re.findall(r"from oneseat\.testing import (.+)", page))
    names = {name.strip() for line in imported for name in line.split(",")}
    assert names
    assert names <= set(testing.__all__)
