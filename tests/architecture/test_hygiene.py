"""Habits that once cost somebody money, a hang or a night: none of them is in the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from .source import ROOT, at, comments_of, dotted, functions, name_of, nodes, python_files

OURS = ("src", "tests", "bench", "scripts")
BROAD = {"Exception", "BaseException"}


def is_broad(node: ast.AST) -> bool:
    """Whether a node catches errors nobody named."""
    if isinstance(node, ast.ExceptHandler):
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        return any(kind is None or dotted(kind) in BROAD for kind in kinds)
    if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "suppress":
        return any(dotted(kind) in BROAD for kind in node.args)
    return False


def says_why(path: Path, node: ast.AST) -> bool:
    """Whether a comment stands in the head of a broad ``except`` or ``suppress``, which may take several lines."""
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    if isinstance(node, ast.ExceptHandler):
        last = max(first, node.body[0].lineno - 1)
    return any(comments_of(path).get(line) for line in range(first, last + 1))


def test_a_broad_except_says_why_and_none_is_where_decisions_are_made() -> None:
    broad = [(path, node) for path, node in nodes("src") if is_broad(node)]
    assert [at(path, node) for path, node in broad if not says_why(path, node)] == []
    deciding = [
        at(path, node) for path, node in broad if re.match(r"src/oneseat/(rules|engine)/", name_of(path))
    ]
    assert deciding == []


def test_an_import_inside_a_function_says_why() -> None:
    late = [
        (path, node)
        for path, function in functions("src")
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    # Where one may be at all is what test_layout.py says.
    assert [at(path, node) for path, node in late if not comments_of(path).get(node.lineno)] == []


def starts_a_shell(node: ast.AST) -> bool:
    """Whether a node hands a command line to a shell."""
    if not isinstance(node, ast.Call):
        return False
    shells = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}
    owner, _, name = dotted(node.func).rpartition(".")
    asked = any(
        key.arg == "shell" and isinstance(key.value, ast.Constant) and key.value.value is True
        for key in node.keywords
    )
    return asked or (owner in {"os", "subprocess", "asyncio"} and name in shells)


def test_no_shell_reads_what_a_caller_wrote() -> None:
    assert [at(path, node) for path, node in nodes(*OURS) if starts_a_shell(node)] == []


def changes_environment(node: ast.AST) -> bool:
    """Whether a node writes to the environment of this process, which every later child would inherit."""
    if isinstance(node, ast.Subscript) and dotted(node.value).endswith("environ"):
        return not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.AugAssign):
        return dotted(node.target).endswith("environ")
    if not isinstance(node, ast.Call):
        return False
    writers = {"update", "pop", "popitem", "setdefault", "clear", "__setitem__", "__delitem__"}
    owner, _, method = dotted(node.func).rpartition(".")
    return dotted(node.func) in {"os.putenv", "os.unsetenv"} or (
        owner.endswith("environ") and method in writers
    )


def test_the_product_never_writes_its_own_environment() -> None:
    assert [at(path, node) for path, node in nodes("src") if changes_environment(node)] == []


def test_no_test_waits_for_a_while_and_hopes() -> None:
    sleeps = {"time.sleep", "asyncio.sleep", "anyio.sleep", "sleep"}
    found = [
        at(path, node)
        for path, node in nodes("tests")
        if isinstance(node, ast.Call)
        and dotted(node.func) in sleeps
        # asyncio.sleep(0) does not wait: it lets other tasks run once.
        and not (len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]
    assert found == []


def test_no_test_is_left_out() -> None:
    ways = {"skip", "skipif", "skipIf", "skipUnless", "SkipTest", "xfail", "importorskip"}
    found = [
        at(path, node)
        for path, node in nodes("tests")
        if isinstance(node, ast.Attribute) and node.attr in ways
    ]
    assert found == []


def test_a_silenced_finding_names_its_rule() -> None:
    nameless = re.compile(r"#\s*(noqa\b(?!: [A-Z]+\d+)|type:\s*ignore\b(?!\[[a-z-]+)|(ruff|mypy|pyright):\s)")
    found = [
        f"{name_of(path)}:{number}"
        for path in python_files(*OURS)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if nameless.search(line) and path != ROOT / "tests/architecture/test_hygiene.py"
    ]
    assert found == []


def test_a_silenced_finding_in_the_product_says_why() -> None:
    silenced = re.compile(r"#\s*noqa: [A-Z]+\d++(, [A-Z]+\d++)*+(?! - \w)")
    found = [
        f"{name_of(path)}:{number}"
        for path in python_files("src")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if silenced.search(line)
    ]
    assert found == []
