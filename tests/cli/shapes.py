"""The shape of a JSON document: its keys in their order, the type of each value, and the words that programs compare with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.e2e.driving import UPDATE_SNAPSHOTS, Done

FOLDER = Path(__file__).parents[1] / "data" / "json"
#: A value such as `plan`, `usage.arguments` or `five_hour`: part of the contract, and kept as it is.
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*([_./:-][A-Za-z0-9]+)*")
#: A word that differs from run to run or from machine to machine.
_NAME = re.compile(r"[0-9a-f]{8,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(msg|req|toolu)_\w+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?")
#: More words than this in one place are data, such as the names of models, and no longer a choice.
_MOST_WORDS = 12


def check_shape(name: str, ended: Done) -> None:
    """Compare what a command printed with the committed shape; ``UPDATE_SNAPSHOTS=1`` writes that instead."""
    documents = [json.loads(line) for line in ended.stdout.splitlines()]
    assert documents, ended
    shape = shape_of(documents[0] if len(documents) == 1 else documents)
    text = json.dumps({"exit": ended.code, "stdout": shape}, indent=1, ensure_ascii=False) + "\n"
    file = FOLDER / f"{name}.json"
    if UPDATE_SNAPSHOTS:
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


def shape_of(value: Any) -> Any:
    """An object as its keys, a list as what its elements have in common, a value as its type or the word that it is."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_merged([shape_of(inner) for inner in value])] if value else []
    if isinstance(value, str):
        return _text(value)
    return "null" if value is None else type(value).__name__


def _text(value: str) -> str:
    if _TIME.fullmatch(value):
        return "str:time" if "T" in value else "str:day"
    if _NAME.fullmatch(value):
        return "str:id"
    return f"={value}" if _WORD.fullmatch(value) else "str"


def _merged(shapes: list[Any]) -> Any:
    """What one element of a list can be. A key that not every element has ends with ``?``."""
    objects = [shape for shape in shapes if isinstance(shape, dict)]
    lists = [shape[0] for shape in shapes if isinstance(shape, list) and shape]
    leaves = {leaf for shape in shapes if isinstance(shape, str) for leaf in shape.split(" | ")}
    found: list[Any] = []
    if objects:
        found.append(_merged_objects(objects))
    if any(isinstance(shape, list) for shape in shapes):
        found.append([_merged(lists)] if lists else [])
    if leaves:
        words = {leaf for leaf in leaves if leaf.startswith("=")}
        found.append(" | ".join(sorted(leaves if len(words) <= _MOST_WORDS else leaves - words | {"str"})))
    return found[0] if len(found) == 1 else {"any of": found}


def _merged_objects(objects: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in dict.fromkeys(key.removesuffix("?") for shape in objects for key in shape):
        values = [shape[name] for shape in objects for name in (key, f"{key}?") if name in shape]
        always = all(key in shape for shape in objects)
        merged[key if always else f"{key}?"] = _merged(values)
    return merged
