"""How much one function, file, list of parameters and list of public names may hold."""

from __future__ import annotations

import ast
from statistics import median

from .source import Function, at, functions, name_of, python_files, tree_of

OURS = ("src", "tests", "bench", "scripts")
LONGEST_FUNCTION = 60
MEDIAN_FUNCTION = 10
LONGEST_FILE = 500
MOST_PARAMETERS = 8
#: The ways into the library write out the options of a request, for `help`, editors and type checkers.
WITH_OPTIONS = {"run", "stream", "make_request"}


def lines_of(function: Function) -> int:
    """How many lines a reader sees, from ``def`` to the last one."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def parameters_of(function: Function) -> int:
    """How many parameters a caller has to know; the object itself is not one."""
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def test_no_function_is_too_long() -> None:
    long = [
        (at(path, it), it.name, lines_of(it))
        for path, it in functions(*OURS)
        if lines_of(it) > LONGEST_FUNCTION
    ]
    assert long == []


def test_the_usual_function_is_short() -> None:
    assert median(lines_of(it) for _, it in functions("src")) <= MEDIAN_FUNCTION


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in python_files(*OURS)}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_takes_too_many_parameters() -> None:
    wide = [
        (at(path, it), it.name)
        for path, it in functions("src", "bench", "scripts")
        if parameters_of(it) > MOST_PARAMETERS
        and not (name_of(path) == "src/oneseat/app/library.py" and it.name in WITH_OPTIONS)
    ]
    assert wide == []


def test_every_file_says_what_it_is_for() -> None:
    silent = [name_of(path) for path in python_files(*OURS) if ast.get_docstring(tree_of(path)) is None]
    assert silent == []
