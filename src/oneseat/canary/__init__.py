"""Tries an installed CLI against the embedded simulator before it is trusted with a login.

    report = await try_cli(find_cli(os.environ))
    report.passed or print(report.broken[0])

Nothing leaves this machine, no login is used, nothing is kept.
"""

from __future__ import annotations

from .trial import try_cli

__all__ = ["try_cli"]
