"""How full a folder is, where an import may wait, and which files are too small to be a unit of their own."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from .source import functions_of, name_of, python_files

FULLEST_FOLDER = 22
SMALL_FILE = 40
#: Folders that are fuller: one file a command, one file a noun.
FULLER = {
    "src/oneseat/cli/commands": 30,
    "src/oneseat/providers/claude_cli": 23,
}
#: How many imports inside functions a folder may have at most: each makes a command start faster or loads an optional library.
LATE_IMPORTS = {
    "src/oneseat": 23,
    "src/oneseat/agents/guard": 1,
    "src/oneseat/app": 35,
    "src/oneseat/cli": 4,
    "src/oneseat/cli/commands": 1,
    "src/oneseat/cli/options": 2,
    "src/oneseat/cli/terminal": 5,
    "src/oneseat/cli/views": 3,
    "src/oneseat/compat": 1,
    "src/oneseat/fast": 4,
    "src/oneseat/host": 5,
    "src/oneseat/providers/api": 4,
    "src/oneseat/providers/claude_cli": 2,
    "src/oneseat/providers/codex_cli": 1,
    "src/oneseat/rules/inputs": 5,
    "src/oneseat/serve": 1,
    "src/oneseat/settings": 1,
    "src/oneseat/stores/transcripts": 4,
    "src/oneseat/testing": 2,
}
#: How many files of the product may be shorter than ``SMALL_FILE``, packages' own files left out.
MOST_SMALL_FILES = 49


def folder_of(path: Path) -> str:
    """The folder a file stands in."""
    return name_of(path.parent)


def late_imports(path: Path) -> int:
    """How many import statements stand inside of functions. A nested function's are counted once."""
    found = {
        node
        for function in functions_of(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return len(found)


def test_no_folder_of_the_product_is_too_full() -> None:
    sizes = Counter(map(folder_of, python_files("src")))
    assert {folder: size for folder, size in sizes.items() if size > FULLER.get(folder, FULLEST_FOLDER)} == {}


def test_imports_inside_functions_are_only_where_they_are_allowed() -> None:
    counts: Counter[str] = Counter()
    for path in python_files("src"):
        counts[folder_of(path)] += late_imports(path)
    print(f"{counts.total()} imports inside functions: {+counts}")
    assert {folder: count for folder, count in counts.items() if count > LATE_IMPORTS.get(folder, 0)} == {}


def test_small_files_do_not_become_more() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in python_files("src")}
    own = ("__init__.py", "__main__.py")
    small = {name: lines for name, lines in lengths.items() if lines < SMALL_FILE and not name.endswith(own)}
    print(*(f"{lines:4} {name}" for name, lines in sorted(small.items())), sep="\n")
    assert len(small) <= MOST_SMALL_FILES, sorted(small)
