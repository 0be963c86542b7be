"""What a reader has to know is written once: at the port, at the public name, or at the method that has neither."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import oneseat

from .source import ROOT

#: A subclass of these describes its methods for those who implement them.
_ABSTRACT = {"Protocol", "ABC"}
Method = ast.FunctionDef | ast.AsyncFunctionDef


def classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield path, node


def public_methods(node: ast.ClassDef) -> list[Method]:
    return [
        each
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_")
    ]


def is_abstract(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).partition("[")[0] in _ABSTRACT for base in node.bases)


def test_every_method_of_a_port_says_what_it_does() -> None:
    silent = [
        f"{node.name}.{method.name}"
        for path, node in classes()
        if path.name == "ports.py"
        for method in public_methods(node)
        if not ast.get_docstring(method)
    ]
    assert silent == []


def test_a_method_without_words_implements_one_that_has_some() -> None:
    described = {
        method.name
        for _, node in classes()
        if is_abstract(node)
        for method in public_methods(node)
        if ast.get_docstring(method)
    }
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}.{method.name}"
        for path, node in classes()
        if not node.name.startswith("_")
        for method in public_methods(node)
        if not ast.get_docstring(method) and method.name not in described
    ]
    assert silent == []


def test_every_public_name_says_what_it_is() -> None:
    silent = []
    for name in oneseat.__all__:
        value = getattr(oneseat, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        members = inspect.getmembers(value, inspect.isfunction) if inspect.isclass(value) else []
        own = [member for member in members if not member[0].startswith("_")]
        silent += [f"{name}.{what}" for what, each in [("", value), *own] if not each.__doc__]
    assert silent == []
