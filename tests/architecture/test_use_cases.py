"""Use-cases are what faces see: no module of `app` hands an adapter through."""

from __future__ import annotations

import importlib
from pathlib import Path

from .source import ROOT

ADAPTERS = ("oneseat.stores", "oneseat.host", "oneseat.providers", "oneseat.observers")


def app_modules() -> list[str]:
    """Every module of `app` by its dotted name."""
    folder = ROOT / "src" / "oneseat" / "app"
    return [f"oneseat.app.{Path(path).stem}" for path in sorted(folder.glob("[!_]*.py"))]


def handed_through(module: str) -> list[str]:
    """The public names of a module that are defined in an adapter."""
    loaded = importlib.import_module(module)
    names = loaded.__all__
    assert names, module
    homes = {name: getattr(getattr(loaded, name), "__module__", "") for name in names}
    return [f"{module}.{name}" for name, home in homes.items() if home.startswith(ADAPTERS)]


def test_no_public_name_of_app_is_defined_in_an_adapter() -> None:
    modules = app_modules()
    assert len(modules) > 10
    assert [name for module in modules for name in handed_through(module)] == []
