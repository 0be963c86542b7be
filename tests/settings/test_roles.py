"""``[roles.NAME]`` in the owner's file: what it takes, and what is said of what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneseat.contract.errors import UsageError
from oneseat.contract.routing import Conditions, Wanted
from oneseat.settings import FILE_NAME, ROLES, read_named


def roles_of(folder: Path, text: str) -> tuple[Wanted, ...]:
    (folder / FILE_NAME).write_text(f"[roles.code]\n{text}\n", "utf-8")
    return read_named(ROLES, folder)["code"].candidates


def test_candidates_with_their_conditions(tmp_path: Path) -> None:
    text = """candidates = [
        { provider = "claude-cli", model = "opus", when = { window_below_percent = 80, tiers = ["GREEN"] } },
        { key = "work", when = { only_with = ["schema"], never_with = ["images"], budget_left_usd = 1 } },
    ]"""
    assert roles_of(tmp_path, text) == (
        Wanted(
            provider="claude-cli",
            model="opus",
            when=Conditions(window_below_percent=80, tiers=("GREEN",)),
        ),
        Wanted(
            key="work",
            when=Conditions(only_with=("schema",), never_with=("images",), budget_left_usd=1.0),
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("candidates = []", "there is none"),
        ('candidates = "claude-cli"', "there is none"),
        ("candidates = [{}]", "candidate 1 needs one of `provider` and `key`"),
        ('candidates = [{ key = "a" }, { key = "a", provider = "b" }]', "candidate 2 needs one of"),
        ('candidates = [{ kye = "a" }]', "candidate 1 has no key `kye`; did you mean `key`?"),
        (
            'candidates = [{ key = "a", when = { window_belw_percent = 8 } }]',
            "`when` of candidate 1 has no key `window_belw_percent`; did you mean `window_below_percent`?",
        ),
        (
            'candidates = [{ kye = "a", mdoel = "x", when = { tires = [] } }, { key = "a" }, {}]',
            (
                "candidate 1 has no key `kye`; did you mean `key`?; candidate 1 has no key `mdoel`; did you mean `model`?; "
                "`when` of candidate 1 has no key `tires`; did you mean `tiers`?; candidate 3 needs one of `provider` and `key`"
            ),
        ),
        (
            'candidates = [{ key = "a", when = { tiers = ["BLUE"] } }]',
            "candidate 1.when.tiers[0]: Invalid enum value",
        ),
        (
            'candidates = [{ key = "a", when = { prompt_below_tokens = "9" } }]',
            "candidate 1.when.prompt_below_tokens: ",
        ),
        ('candidates = [{ key = "a", when = 3 }]', "candidate 1.when: Expected `object`, got `int`"),
        ('model = "opus"', "Unknown setting: `roles.code.model`"),
        ("run_budget_usd = 1", "it has no `candidates`"),
        (
            'candidates = [{ key = "a" }]\nday_budget_usd = 0',
            "Setting cannot be used: `roles.code.day_budget_usd = 0`",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        roles_of(tmp_path, text)
    assert said in raised.value.info.message
    assert str(tmp_path) in raised.value.info.message
