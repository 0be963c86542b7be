"""Every rule finds its true samples and none of its false ones, and its file gives nothing away."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from oneseat import UsageError
from oneseat.agents.guard.matching import Index, hits_in, time_boxed
from oneseat.agents.guard.rules import FOLDER, Rule, load_rules
from oneseat.agents.guard.selftest import finds, samples

BOOK = load_rules()
TEXTS = Index(BOOK.of_kind("text", "lost"))
#: Kept libraries that the tests install: what the guard finds in them is looked at by whoever adds a rule.
PACKAGES = ("click", "jsonschema", "_pytest", "hypothesis", "psutil")
EVIL = """
category = 2
name = "mine"
[[rules]]
id = "evil"
severity = "high"
why = "w"
remedy = "r"
pattern = '(a+)+$'
true = ["aaa"]
false = ["b"]
"""


def found(path: str, text: str, rules: Index = TEXTS) -> list[str]:
    return [hit.rule.id for hit in hits_in(path, text, (), rules)]


@pytest.mark.parametrize("rule", BOOK.rules, ids=lambda rule: rule.id)
def test_a_rule_finds_its_true_samples_and_no_false_one(rule: Rule) -> None:
    assert rule.true
    assert rule.false
    for true in (True, False):
        wrong = [text for path, text in samples(rule, true=true) if finds(rule, path, text) is not true]
        assert wrong == []


def test_there_are_ten_categories_and_the_seats_come_first() -> None:
    assert sorted({rule.category for rule in BOOK.rules}) == list(range(1, 11))
    assert BOOK.rules[0].id == "claude-subscription-token"


def test_every_pattern_compiles_and_keywords_can_be_found() -> None:
    for rule in BOOK.rules:
        for pattern in (rule.pattern, rule.paths, rule.not_paths, rule.unless):
            re.compile(pattern or "")
        assert [word for word in rule.keywords if word != word.lower()] == []


def test_no_file_of_rules_holds_anything_that_a_scanner_would_take_for_a_token() -> None:
    for file in FOLDER.glob("*.toml"):
        hits = hits_in(file.name, file.read_text("utf-8"), (), TEXTS)
        assert [hit for hit in hits if hit.rule.severity == "critical"] == []


def test_a_secret_is_found_once_by_the_most_severe_rule() -> None:
    key = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 4
    assert found("config.yml", f"openai_api_key: {key}") == ["openai-api-key"]


@pytest.mark.parametrize(
    "value",
    [
        "changeme",
        "${TOKEN}",
        "<your-token>",
        "xxxxxxxxxxxxxxxx",
        "os.environ['TOKEN']",
        "your-api-key-here-1",
        "{{ token }}",
    ],
)
def test_a_placeholder_is_no_secret(value: str) -> None:
    assert found(".env", f"API_TOKEN={value}\n") == []


def test_false_alarms_are_rare_in_libraries() -> None:
    lines = alarms = 0
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        for file in Path(spec.origin).parent.rglob("*.py"):
            text = file.read_text("utf-8")
            lines += text.count("\n")
            alarms += len(found(f"{name}/{file.name}", text))
    assert lines > 100_000
    assert alarms <= lines / 10_000


def test_a_program_on_one_line_is_looked_at_all_over() -> None:
    code = "".join(
        f"var token{number}=function(key,value){{return key.password=value}};" for number in range(2_000)
    )
    key = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 4
    with time_boxed():
        assert found("dist/app.min.js", f"{code}x='{key}';{code}") == ["openai-api-key"]


def test_a_rule_that_takes_too_long_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(EVIL, "utf-8")
    book = load_rules(tmp_path)
    with time_boxed(), pytest.raises(UsageError) as caught:
        found("a.txt", "a" * 40 + "b", Index(book.rules))
    assert caught.value.info.code == "usage.slow_guard_rule"
    assert "`evil`" in caught.value.info.message
    assert "`a.txt`" in caught.value.info.message


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (("'(a+)+$'", "'('"), "not a regular expression"),
        (("severity", "severities"), "severities"),
        (('"high"', '"dreadful"'), "dreadful"),
        (("category = 2", "category = 11"), "11"),
        (('id = "evil"', 'id = "jwt"'), "two rules"),
        (("pattern =", 'check = "nothing"\npattern ='), "nothing"),
        (("[[rules]]", "[[rules"), "mine.toml"),
    ],
)
def test_a_file_of_rules_that_cannot_be_used_fails_and_says_why(
    changed: tuple[str, str], why: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(EVIL.replace(*changed), "utf-8")
    with pytest.raises(UsageError) as caught:
        load_rules(tmp_path)
    assert caught.value.info.code == "usage.bad_guard_rule"
    assert why in caught.value.info.message


def test_rules_are_kept_as_read_until_a_file_changes(tmp_path: Path) -> None:
    own, cache = tmp_path / "own", tmp_path / "cache"
    own.mkdir()
    cache.mkdir()
    first = load_rules(own, cache)
    assert load_rules(own, cache) == first
    (kept,) = cache.iterdir()
    kept.write_bytes(b"[]")  # cut short: read anew
    assert load_rules(own, cache) == first
    (own / "mine.toml").write_text(EVIL, "utf-8")
    assert [rule.id for rule in load_rules(own, cache).rules][-1] == "evil"
