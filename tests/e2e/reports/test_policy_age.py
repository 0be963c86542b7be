"""Policy rules expire. Their owner is told 30 days before, wherever they look, and one command renews them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oneseat.stores.policy.pack import bundled_data
from tests.e2e.driving import Seat, fake_seat

#: The bundled pack expires on the last one; the day before the first nobody need know.
FIRST, LAST, EXPIRED = "2027-01-19", "2027-02-17", "2027-02-18"


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat, _ = fake_seat(tmp_path, "ok")
    return seat


def on(seat: Seat, day: str) -> Seat:
    seat.env["ONESEAT_SIMULATOR_DATE"] = day
    return seat


def pack(path: Path, **meta: Any) -> Path:
    """The bundled pack with other dates."""
    content = json.loads(bundled_data())
    content["meta"] |= meta
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(("day", "told"), [("2027-01-18", None), (FIRST, EXPIRED), (LAST, EXPIRED)])
def test_a_run_says_so_in_the_last_thirty_days(seat: Seat, day: str, told: str | None) -> None:
    on(seat, day)
    assert seat.run("run", "hi", "--json").result["receipt"]["policy"]["expires"] == told
    ended = seat.run("run", "hi")
    assert (ended.code, f"expire on {EXPIRED}" in ended.stderr) == (0, told is not None)
    assert ("`oneseat policy update`" in ended.stderr) is (told is not None)
    assert "expire" not in seat.run("run", "hi", "-q").stderr
    assert (f"rules end {EXPIRED}" in seat.run("limits", "--statusline").stdout) is (told is not None)
    assert (f"expire on {EXPIRED}" in seat.run("limits").stdout) is (told is not None)


def test_the_doctor_names_the_date_and_the_command(seat: Seat) -> None:
    (finding,) = [
        it for it in on(seat, FIRST).run("doctor", "--json").result["findings"] if it["code"] == "pack.old"
    ]
    assert EXPIRED in finding["message"]
    assert "`oneseat policy update`" in finding["fix"]


def test_a_run_that_expired_rules_refuse_says_how_to_renew_them(seat: Seat) -> None:
    ended = on(seat, EXPIRED).run("run", "hi", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (3, "policy.grey")
    assert "`oneseat policy update`" in ended.result["error"]["hint"]


def test_rules_are_renewed_from_a_file(seat: Seat, tmp_path: Path) -> None:
    newer = pack(
        tmp_path / "new.json",
        pack_version="2026.11.25",
        as_of="2026-11-25",
        review_after="2026-12-25",
        hard_stale_after="2027-02-23",
    )
    assert seat.run("policy", "update", str(newer)).code == 0
    assert on(seat, EXPIRED).run("run", "hi").code == 0


def test_rules_are_renewed_from_the_package(seat: Seat, tmp_path: Path) -> None:
    older = pack(
        tmp_path / "old.json",
        pack_version="2026.10.01",
        as_of="2026-10-01",
        review_after="2026-10-31",
        hard_stale_after="2026-12-30",
    )
    assert seat.run("policy", "update", str(older)).code == 0
    assert on(seat, "2027-01-02").run("run", "hi").code == 3
    ended = seat.run("policy", "update", "--json")
    assert (ended.code, ended.result["meta"]["pack_version"]) == (0, "2026.11.20")
    assert seat.run("run", "hi").code == 0


def test_without_newer_rules_it_says_where_to_get_them(seat: Seat) -> None:
    ended = seat.run("policy", "update")
    assert ended.code == 2
    assert "usage.no_newer_pack" in ended.stderr
    assert "`oneseat policy update FILE`" in ended.stderr
