"""Whatever a first set-up decides, its file says exactly that and nothing is wrong in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.contract.keys import ApiKey
from oneseat.settings import FILE_NAME, KEYS, load, read_named
from oneseat.settings.checking import inspect
from oneseat.settings.template import Choices, first_file

BUDGETS = st.lists(st.floats(0.01, 1_000_000), min_size=3, max_size=3).map(sorted)


@st.composite
def keys(draw: st.DrawFn) -> ApiKey:
    run, day, month = draw(BUDGETS)
    where: dict[str, Any] = draw(
        st.sampled_from([{}, {"env": "MY_KEY"}, {"file": "~/a key"}, {"file": '/k"\\x'}])
    )
    address: dict[str, Any] = draw(
        st.sampled_from(
            [{}, {"base_url": "https://gateway.example/v1"}, {"base_url": "http://[::1]:1", "charges": False}]
        )
    )
    return ApiKey(
        name=draw(st.sampled_from(["work", "a.b", "A-1_x"])),
        provider="openai-compatible" if address else draw(st.sampled_from(["anthropic", "openai", "gemini"])),
        credits=bool(address.get("charges", True)) and draw(st.booleans()),
        run_budget_usd=run,
        day_budget_usd=day,
        month_budget_usd=month,
        **where,
        **address,
    )


CHOICES = st.builds(
    Choices,
    humans=st.integers(1, 1000),
    host=st.sampled_from([None, "owner_machine", "owner_vps", "rented_runner", "customer_machine"]),
    plan=st.sampled_from([None, "pro", "max", "ultra", "team_seat", "ent_seat"]),
    seat=st.sampled_from(["claude-cli", "codex-cli"]),
    other_seat=st.sampled_from([None, "codex-cli"]),
    key=st.none() | keys(),
    day_budget_usd=st.none() | st.floats(0.01, 1_000_000),
    pause_at_percent=st.none() | st.integers(1, 100),
)


@settings(deadline=None)
@given(CHOICES)
def test_the_file_of_any_choice_says_just_that(choices: Choices) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder)
        (config / FILE_NAME).write_text(first_file(choices), "utf-8")
        assert inspect({}, config, config).findings == ()
        loaded = load({}, config, config)
        assert read_named(KEYS, config) == ({choices.key.name: choices.key} if choices.key else {})
    names = (choices.other_seat, choices.key.name if choices.key else None)
    assert loaded.fallback_to == tuple(name for name in names if name is not None)
    assert loaded.seat_provider == choices.seat
    assert (loaded.policy_humans, loaded.policy_host, loaded.policy_plan) == (
        choices.humans,
        choices.host,
        choices.plan,
    )
    assert loaded.budget_day_usd == choices.day_budget_usd
    assert loaded.limits_pause_at_percent == choices.pause_at_percent
