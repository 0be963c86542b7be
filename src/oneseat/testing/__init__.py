"""Test tools: a simulator of the vendors' APIs and fake CLIs. Each is imported on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneseat.contract.simulated import SIMULATOR_KEY, SIMULATOR_TOKEN

    from .conformance import PROVIDER_CHECKS, CheckResult, ProviderReport, check_provider
    from .fake_cli import FAKE_CLIS, Behaviour, FakeCli, write_fake_cli
    from .recorder import RecordedRequest
    from .replies import (
        Answer,
        ByPayer,
        Echo,
        Failure,
        Filler,
        Limits,
        NoAnswer,
        Page,
        Reply,
        Structured,
        Text,
        Thinking,
        ToolRound,
        ToolUse,
        Usage,
        WindowShare,
    )
    from .scenarios import SCENARIOS, UnknownScenarioError
    from .simulator import Simulator

_HOMES = {
    "oneseat.contract.simulated": ("SIMULATOR_KEY", "SIMULATOR_TOKEN"),
    "oneseat.testing.conformance": (
        "PROVIDER_CHECKS",
        "CheckResult",
        "ProviderReport",
        "check_provider",
    ),
    "oneseat.testing.fake_cli": ("FAKE_CLIS", "Behaviour", "FakeCli", "write_fake_cli"),
    "oneseat.testing.recorder": ("RecordedRequest",),
    "oneseat.testing.replies": (
        "Answer",
        "ByPayer",
        "Echo",
        "Failure",
        "Filler",
        "Limits",
        "NoAnswer",
        "Page",
        "Reply",
        "Structured",
        "Text",
        "Thinking",
        "ToolRound",
        "ToolUse",
        "Usage",
        "WindowShare",
    ),
    "oneseat.testing.scenarios": ("SCENARIOS", "UnknownScenarioError"),
    "oneseat.testing.simulator": ("Simulator",),
}

__all__ = [
    "FAKE_CLIS",
    "PROVIDER_CHECKS",
    "SCENARIOS",
    "SIMULATOR_KEY",
    "SIMULATOR_TOKEN",
    "Answer",
    "Behaviour",
    "ByPayer",
    "CheckResult",
    "Echo",
    "Failure",
    "FakeCli",
    "Filler",
    "Limits",
    "NoAnswer",
    "Page",
    "ProviderReport",
    "RecordedRequest",
    "Reply",
    "Simulator",
    "Structured",
    "Text",
    "Thinking",
    "ToolRound",
    "ToolUse",
    "UnknownScenarioError",
    "Usage",
    "WindowShare",
    "check_provider",
    "write_fake_cli",
]


if not TYPE_CHECKING:  # hidden from type checkers, which would otherwise accept any misspelt name

    def __getattr__(name: str) -> Any:
        for home, names in _HOMES.items():
            if name in names:
                return getattr(importlib.import_module(home), name)
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted(__all__)
