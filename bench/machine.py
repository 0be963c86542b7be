"""Describes the machine of the measurements, without its name, addresses or folders."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

import oneseat

from .processes import cli_version, clis, measure, plain_env
from .usage import ccusage


def description() -> dict[str, str]:
    """The machine, the versions and the date, for the head of the report."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        "load before the first round": load,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "oneseat": oneseat.__version__,
        "official CLI": " and ".join(cli_version(cli) for cli in clis()),
        "claude-agent-sdk": version("claude-agent-sdk"),
        "ccusage": measure([ccusage(), "--version"], plain_env(Path.cwd())).stdout.split()[-1],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
