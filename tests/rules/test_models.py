"""Which names mean the same model."""

from __future__ import annotations

import pytest

from oneseat.rules.runs.models import is_meant


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("sonnet", "claude-sonnet-5"),
        ("sonnet", "claude-sonnet-4-5-20250929"),
        ("opus[1m]", "claude-opus-5-5"),
        ("default", "claude-opus-5-5"),
        ("opusplan", "claude-sonnet-5"),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-sonnet-4-0", "claude-sonnet-4-20250514"),
        ("claude-sonnet-5[1m]", "claude-sonnet-5"),
        ("gpt-5.5", "gpt-5.5-2026-04-01"),
        ("GPT-4o", "gpt-4o-2024-08-06"),
        ("gemini-2.5-flash", "models/gemini-2.5-flash-001"),
        ("gemini-flash-latest", "gemini-2.5-flash"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("llama3", "llama3:latest"),
        ("m", "m"),
    ],
)
def test_the_same_model_by_another_name(asked: str, answered: str) -> None:
    assert is_meant(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("sonnet", "claude-opus-5-5"),
        ("haiku", "claude-sonnet-5"),
        ("claude-sonnet-5", "claude-opus-5-5"),
        ("claude-sonnet-5", "claude-sonnet-4-5"),
        ("gpt-5.5", "gpt-5.5-pro"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18"),
        ("gemini-2.5-pro", "gemini-2.5-flash"),
        ("gemini-flash-latest", "gemini-2.5-pro"),
        ("m", "gpt-5.5-pro"),
    ],
)
def test_another_model(asked: str, answered: str) -> None:
    assert not is_meant(asked, answered)
