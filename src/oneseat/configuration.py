"""The settings as their owner sees them: what is wrong, what is in force, and where it stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from oneseat.assembly import find_paths
from oneseat.settings.checking import Finding, InForce, Inspected, inspect
from oneseat.settings.formatting import toml

__all__ = ["Finding", "InForce", "Inspected", "inspect_settings", "toml"]


def inspect_settings(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Inspected:
    """Look at every settings file and variable. Raises ``UsageError`` only where oneseat's own folder cannot be named."""
    snapshot = dict(os.environ if env is None else env)
    return inspect(snapshot, cwd or Path.cwd(), find_paths(snapshot).config_dir)
