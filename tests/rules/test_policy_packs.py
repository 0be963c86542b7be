"""Which packs can be used at all, and what one allows that another does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.app import policy
from oneseat.contract.errors import UsageError
from oneseat.contract.policy_catalogue import Sections
from oneseat.contract.policy_pack import Pack, Rule
from oneseat.installation import Installation
from oneseat.providers.claude_cli import discovery
from oneseat.providers.cli_common.program import dotted
from oneseat.rules.policy.packs import differences
from oneseat.stores.policy.catalogue import pack_schema, whole
from oneseat.stores.policy.pack import bundled_data, bundled_pack

from .policies import rule, with_rules

SURE = "I have asked, and it is mine to use"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"ONESEAT_HOME": str(tmp_path / "home")}


def written(folder: Path, change: Change) -> Path:
    """The bundled pack with a change, as a file."""
    pack = json.loads(bundled_data())
    pack["meta"]["pack_version"] = "2026.11.21"
    change(pack)
    path = folder / "pack.json"
    path.write_text(json.dumps(pack), "utf-8")
    return path


def rule_in(pack: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in pack["rules"] if each["id"] == name)
    return found


def green_for_customers(pack: dict[str, Any]) -> None:
    for condition in rule_in(pack, "G1")["when"][0]:
        if condition["field"] == "output_consumer":
            condition["value"] = ["owner", "customers"]


def without_humans(pack: dict[str, Any]) -> None:
    group = rule_in(pack, "G1")["when"][0]
    group[:] = [condition for condition in group if condition["field"] != "distinct_humans"]


def otherwise_green(pack: dict[str, Any]) -> None:
    pack["rules"].remove(rule_in(pack, "Y13"))


def from_the_future(pack: dict[str, Any]) -> None:
    pack["meta"].update(as_of="2126-11-20", review_after="2126-12-20", hard_stale_after="2127-02-18")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pack: rule_in(pack, "R1")["when"][0][0].update(op="not_in"), "rules"),
        (lambda pack: rule_in(pack, "R1")["when"][0][0].update(field="weather"), "rules"),
        (lambda pack: rule_in(pack, "R1").update(action="allow"), "rules"),
        (lambda pack: pack.update(extra=1), "extra"),
        (lambda pack: pack["meta"].update(schema_version=2), "schema_version"),
        (lambda pack: rule_in(pack, "R1").update(source_ids=["nowhere"]), "there is no `nowhere`"),
        (lambda pack: rule_in(pack, "R1")["when"][0][0].update(value=["stranger"]), "never true"),
        (lambda pack: rule_in(pack, "R1").update(action="plan"), "cannot have the action"),
        (lambda pack: pack["facts"].append(pack["facts"][0]), "appears twice"),
        (green_for_customers, "GREEN for more than any pack may allow"),
        (without_humans, "does not ask for `distinct_humans`"),
        (otherwise_green, "exactly one rule without conditions"),
        (from_the_future, "in the future"),
    ],
)
def test_what_is_no_pack_is_rejected_and_the_old_one_kept(
    change: Change, said: str, home: dict[str, str], tmp_path: Path
) -> None:
    file = written(tmp_path, change)
    ways: tuple[Callable[[], object], ...] = (
        lambda: policy.check_pack(Installation(home), file),
        lambda: policy.take_pack(Installation(home), file, SURE),
    )
    for way in ways:
        with pytest.raises(UsageError) as raised:
            way()
        assert raised.value.info.code == "usage.bad_policy_pack"
        assert said in raised.value.info.message
    assert policy.read_policy(Installation(home)).bundled


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode),
    )
)
@settings(max_examples=40)
def test_whatever_a_file_holds_it_is_refused_by_name(data: bytes) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "pack.json"
        path.write_bytes(data)
        with pytest.raises(UsageError) as raised:
            policy.check_pack(Installation({"ONESEAT_HOME": folder}), path)
        assert raised.value.info.code == "usage.bad_policy_pack"


def effects(new: Pack) -> dict[str, str]:
    return {each.what: each.effect for each in differences(bundled_pack(), new)}


def changed(name: str, **fields: Any) -> Rule:
    return msgspec.structs.replace(rule(name), **fields)


def without(name: str) -> Pack:
    pack = bundled_pack()
    return msgspec.structs.replace(pack, rules=tuple(each for each in pack.rules if each.id != name))


def value(name: str, field: str, *words: str) -> Rule:
    """A rule that asks for other words."""
    groups = tuple(
        tuple(msgspec.structs.replace(it, op="in", value=words) if it.field == field else it for it in group)
        for group in rule(name).when
    )
    return changed(name, when=groups)


@pytest.mark.parametrize(
    ("pack", "effect"),
    [
        (without("R3"), {"rule R3": "looser"}),
        (without("Y5"), {"rule Y5": "looser"}),
        (without("T1"), {"rule T1": "tighter"}),
        (with_rules(value("R3", "output_consumer", "customers")), {"rule R3": "looser"}),
        (
            with_rules(value("R1", "request_author", "other_human", "anonymous", "owner_automation")),
            {"rule R1": "tighter"},
        ),
        (with_rules(changed("R3", tier="GREY", action="api_or_confirm")), {"rule R3": "looser"}),
        (with_rules(changed("R4", action="api_key")), {"rule R4": "looser"}),
        (with_rules(changed("R3", action="refuse")), {"rule R3": "tighter"}),
        (with_rules(changed("R3", status="paused")), {"rule R3": "looser"}),
        (with_rules(changed("R3", effective_to="2027-01-01")), {"rule R3": "looser"}),
        (with_rules(changed("R3", effective_from="2027-01-01")), {"rule R3": "looser"}),
        (with_rules(changed("R3", reason="said otherwise")), {"rule R3": "other"}),
        (with_rules(value("G1", "output_consumer", "owner", "owner_publishes")), {"rule G1": "looser"}),
        (with_rules(value("G1", "plan", "max")), {"rule G1": "tighter"}),
        (with_rules(changed("Y4", tier="RED", action="refuse")), {"rule Y4": "tighter"}),
        (with_rules(changed("R3", id="R33")), {"rule R33": "other"}),
    ],
)
def test_what_another_pack_does_to_what_is_allowed(pack: Pack, effect: dict[str, str]) -> None:
    assert effects(pack) == effect


def test_numbers_that_loosen(home: dict[str, str], tmp_path: Path) -> None:
    def more(pack: dict[str, Any]) -> None:
        pack["thresholds"]["max_plan_runs_per_hour"]["value"] = 301
        pack["thresholds"]["max_parallel_plan_runs"]["value"] = 1
        pack["meta"]["hard_stale_after"] = "2028-01-01"
        pack["plans"][0]["names"].append("Max")

    found = policy.check_pack(Installation(home), written(tmp_path, more))
    assert {(each.what, each.effect) for each in found.differences} == {
        ("threshold max_plan_runs_per_hour", "looser"),
        ("threshold max_parallel_plan_runs", "tighter"),
        ("days until the pack is too old", "looser"),
        ("name of a plan", "looser"),
    }


def test_a_pack_that_only_moves_its_dates_needs_no_word(home: dict[str, str], tmp_path: Path) -> None:
    def later(pack: dict[str, Any]) -> None:
        pack["meta"].update(as_of="2026-11-21", review_after="2026-12-21", hard_stale_after="2027-02-19")

    taken = policy.take_pack(Installation(home), written(tmp_path, later))
    assert taken.differences == ()
    report = policy.read_policy(Installation(home))
    assert (report.meta, report.bundled) == (taken.meta, False)


def test_the_bundled_pack_holds_every_section_with_sources_and_dates() -> None:
    pack = bundled_pack()
    sections = whole(pack, Path("bundled"))
    rules = {each.id.removesuffix(".green").removesuffix(".red") for each in pack.rules}
    assert rules == {"G1"} | {f"R{n}" for n in range(1, 12)} | {f"Y{n}" for n in range(1, 15)} | {
        "T1",
        "T2",
        "T3",
    }
    assert {plan.id for plan in sections.plans} >= {
        "free",
        "pro",
        "max",
        "ultra",
        "team_seat",
        "ent_seat",
        "ent_usage",
    }
    split = next(fact for fact in sections.facts if fact.id == "anthropic.agent_sdk_credit_split")
    assert (split.status, split.holds("2026-11-21")) == ("paused", False)
    assert not any(
        route.holds("2026-11-21") for route in pack.billing_routes if route.draws_from == "agent_sdk_credit"
    )
    assert {"account_on_hold", "verification_required"} <= {
        pattern.value for pattern in sections.error_patterns if pattern.kind == "hold"
    }
    assert len(sections.watch) == 9
    assert all(each.basis == "own" for each in msgspec.structs.astuple(pack.thresholds))


def test_prices_change_on_their_days() -> None:
    prices = whole(bundled_pack(), Path("bundled")).prices

    def cost(model: str, day: str) -> list[tuple[float, float | None]]:
        return [
            (each.input, each.cache_read) for each in prices if each.model_id == model and each.holds(day)
        ]

    assert cost("gemini-3.8-flash", "2026-12-31") == [(0.75, 0.075)]
    assert cost("gemini-3.8-flash", "2027-01-01") == [(1.5, 0.15)]
    assert cost("claude-sonnet-5-5", "2026-10-06") == [(2, 0.2)]
    assert cost("claude-sonnet-5-5", "2026-10-07") == [(2, 0.1)]
    for day in ("2026-11-21", "2027-01-01"):
        held = [each.model_id for each in prices if each.holds(day)]
        assert len(held) == len(set(held)), day


def test_the_schema_knows_every_field_and_no_other() -> None:
    schema = json.loads(pack_schema())["$defs"]

    def fields_of(kind: type[msgspec.Struct]) -> set[str]:
        return {field.encode_name for field in msgspec.structs.fields(kind)}

    assert set(schema["Pack"]["properties"]) == fields_of(Pack)
    assert set(schema["Rule"]["properties"]) == fields_of(Rule)
    kinds = {
        name: kind
        for module in (Pack, Sections)
        for name, kind in vars(__import__(module.__module__, fromlist=["x"])).items()
    }
    for name, definition in schema.items():
        kind = kinds[name]
        assert set(definition["properties"]) == fields_of(kind), name
        assert definition["additionalProperties"] is False, name


@pytest.mark.parametrize(
    ("rule_id", "stated", "code"),
    [
        ("R1", {"request_author": "other_human"}, "usage.bad_job_class"),
        ("Y5", {"work_owner": "owner"}, "usage.bad_job_class"),
        ("Y5", {}, "usage.bad_job_class"),
        ("Y5", {"work_owner": "client", "host": "owner_vps"}, "usage.bad_job_class"),
        ("Y5", {"work_owner": "nobody"}, "usage.bad_job_class"),
        ("Y4", {"accounts_in_use": "two"}, "usage.bad_job_class"),
        ("Y4", {"accounts_in_use": "1"}, "usage.bad_job_class"),
        ("Y99", {"work_owner": "client"}, "usage.bad_job_class"),
        ("Y5", {"weather": "fine"}, "usage.bad_job_class"),
        ("Y13", {}, "usage.bad_job_class"),
    ],
)
def test_what_cannot_be_confirmed(
    rule_id: str, stated: dict[str, str], code: str, home: dict[str, str]
) -> None:
    with pytest.raises(UsageError) as raised:
        policy.confirm(Installation(home), rule_id, stated, SURE)
    assert raised.value.info.code == code
    assert policy.confirmations(Installation(home)).confirmations == ()


@pytest.mark.parametrize(
    "text", ["", "yes", "1234567890 1234567890", "two\nlines of my own words", "            "]
)
def test_a_word_is_a_sentence(text: str, home: dict[str, str]) -> None:
    with pytest.raises(UsageError) as raised:
        policy.confirm(Installation(home), "Y5", {"work_owner": "client"}, text)
    assert raised.value.info.code == "usage.not_confirmed"


def test_confirmations_are_kept_with_their_rule_and_taken_back(home: dict[str, str]) -> None:
    one = policy.confirm(Installation(home), "Y5", {"work_owner": "client"}, SURE, client="acme")
    other = policy.confirm(Installation(home), "Y13", {"distinct_humans": "unknown"}, SURE)
    assert other.because == {"distinct_humans": None}
    assert policy.confirmations(Installation(home)).confirmations == (one, other)
    assert one.counts
    policy.revoke(Installation(home), one.id)
    assert policy.confirmations(Installation(home)).confirmations == (other,)
    with pytest.raises(UsageError):
        policy.revoke(Installation(home), one.id)


def test_the_pack_names_the_versions_that_oneseat_is_tested_with() -> None:
    meta = bundled_pack().meta
    assert (meta.tested_cli_min, meta.tested_cli_max) == (
        dotted(discovery.OLDEST),
        dotted(discovery.NEWEST),
    )
