"""The provider catalogue is complete: every table and every type that names providers agrees with it."""

from __future__ import annotations

from typing import get_args

import pytest

from oneseat.contract.billing_names import BILLING_NAMES
from oneseat.contract.providers import (
    CATALOGUE,
    DEFAULT_SEAT,
    ROWS,
    SEATS,
    WINDOWS,
    KeyProvider,
    SeatName,
    vendor_of_model,
)
from oneseat.providers.api.catalogue import APIS
from oneseat.providers.claude_cli.provider import ClaudeCliProvider
from oneseat.providers.codex_cli.provider import CodexCliProvider


def test_every_type_and_table_names_the_providers_of_the_catalogue() -> None:
    keys = [row.name for row in CATALOGUE if row.kind == "key"]
    assert [*SEATS, *keys] == [row.name for row in CATALOGUE] == list(ROWS)
    assert get_args(SeatName) == SEATS
    assert list(get_args(KeyProvider)) == keys == list(APIS)
    assert tuple(BILLING_NAMES) == SEATS == (ClaudeCliProvider.name, CodexCliProvider.name)
    assert SEATS[0] == DEFAULT_SEAT


def test_two_providers_of_one_vendor_have_its_models() -> None:
    prefixes = {(row.vendor, row.model_prefix) for row in CATALOGUE}
    assert len(prefixes) == len({vendor for vendor, _ in prefixes})


@pytest.mark.parametrize(
    ("model", "vendor"),
    [("claude-opus-5", "anthropic"), ("gemini-3-pro", "google"), ("gpt-6", "openai"), ("o4", "openai")],
)
def test_a_model_belongs_to_the_vendor_of_its_prefix(model: str, vendor: str) -> None:
    assert vendor_of_model(model) == vendor


def test_only_windows_of_every_plan_are_shown_while_nothing_is_known() -> None:
    assert [name for name, window in WINDOWS.items() if window.usual] == ["five_hour", "seven_day"]
    assert all(window.title and window.short for window in WINDOWS.values() if window.usual)
