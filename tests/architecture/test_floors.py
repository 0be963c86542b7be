"""The floors of pyproject.toml hold, and each of them would notice being broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from .source import ROOT

CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
    "importlinter"
]["contracts"]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts against the package under ``folder``/src, from nothing."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def forbidden_import(contract: dict[str, Any]) -> tuple[str, str]:
    """A package and an import it must not contain, for one contract."""
    if contract["type"] == "layers":
        layers = [layer.split(" | ")[0].strip("()") for layer in contract["layers"]]
        container = contract["containers"][0]
        return f"{container}.{layers[-1]}", f"{container}.{layers[0]}"
    return contract["source_modules"][0], contract["forbidden_modules"][0]


def test_every_contract_is_kept() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" KEPT") == len(CONTRACTS)


def test_every_contract_notices_an_import_it_forbids(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for number, contract in enumerate(CONTRACTS):
        package, imported = forbidden_import(contract)
        folder = tmp_path / "src" / Path(*package.split("."))
        (folder / f"planted{number}.py").write_text(f"import {imported}\n", "utf-8")
    report = lint_imports(tmp_path).stdout
    kept = [contract["name"] for contract in CONTRACTS if f"{contract['name']} BROKEN" not in report]
    assert kept == [], report
