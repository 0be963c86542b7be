"""Finding and parsing the project's own files, for the tests beside this one."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What tools leave behind; skipped where git cannot say which files belong to the project.
LEFT_BY_TOOLS = re.compile(r"(^|/)(\.git|\.venv|\.tools|dist|__pycache__|\.[a-z_]+_cache|\.hypothesis)(/|$)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def git_files() -> list[str] | None:
    """Everything git would commit from this checkout; ``None`` when this folder is not one."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return None
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    # git refuses a checkout of another owner (a mounted volume, say); walking the folder then does as well.
    return None if listed.returncode else [name for name in listed.stdout.split("\0") if name]


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that belongs to the project."""
    names = git_files()
    if names is None:
        every = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file())
        names = [name for name in every if not LEFT_BY_TOOLS.search(name)]
    return tuple(sorted(ROOT / name for name in names if (ROOT / name).is_file()))


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """The project's Python files under the named folders; none at all fails, for it would prove nothing."""
    found = tuple(
        path for path in project_files() if path.suffix == ".py" and name_of(path).split("/")[0] in folders
    )
    assert found, f"no Python files under {folders}"
    return found


def name_of(path: Path) -> str:
    """A file's name as the findings print it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text("utf-8"), filename=str(path))


@cache
def comments_of(path: Path) -> dict[int, str]:
    """A file's comments by line number, without the marks of linters: what is left is meant for a reader."""
    with tokenize.open(path) as file:
        found = {
            token.start[0]: token.string
            for token in tokenize.generate_tokens(file.readline)
            if token.type == tokenize.COMMENT
        }
    return {
        line: re.sub(r"#\s*(noqa|type: ?ignore)[^-#]*", "", text).strip("# -") for line, text in found.items()
    }


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's syntax tree. Kept: walking the trees takes longer than anything that is asked of them."""
    return tuple(ast.walk(tree_of(path)))


def nodes(*folders: str) -> Iterator[tuple[Path, ast.AST]]:
    """Every syntax node of every Python file under the named folders."""
    for path in python_files(*folders):
        for node in nodes_of(path):
            yield path, node


def functions(*folders: str) -> Iterator[tuple[Path, Function]]:
    """Every function and method under the named folders, nested ones too."""
    for path in python_files(*folders):
        for function in functions_of(path):
            yield path, function


@cache
def functions_of(path: Path) -> tuple[Function, ...]:
    """A file's functions and methods."""
    return tuple(node for node in nodes_of(path) if isinstance(node, Function))


def dotted(node: ast.AST) -> str:
    """The dotted name an expression spells, such as ``os.environ``; empty when it is anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def at(path: Path, node: ast.AST) -> str:
    """Where a finding is."""
    return f"{name_of(path)}:{getattr(node, 'lineno', 0)}"
