"""Folders that did not change are not listed again, and nothing that is put into one is missed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from oneseat.stores.transcripts.walk import Walk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A configuration folder with two projects, a conversation in each, and a subagent of one of them."""
    for name in ("one/a.jsonl", "two/b.jsonl", "two/b/subagents/agent-c.jsonl"):
        path = tmp_path / "projects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n")
    return tmp_path


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the folders that are listed from now on."""
    names: list[str] = []
    scandir = os.scandir

    def noted(folder: bytes) -> object:
        names.append(Path(os.fsdecode(folder)).name)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", noted)
    return names


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all folders look as if they were changed long ago."""
    monkeypatch.setattr(time, "time_ns", lambda now=time.time_ns: now() + 10_000_000_000)


def again(root: Path, before: Walk) -> Walk:
    return Walk([str(root)], before.listing(before.files))


def test_a_folder_that_did_not_change_is_not_listed_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str]
) -> None:
    later(monkeypatch)
    first = Walk([str(root)])
    assert sorted(listed) == ["b", "one", "projects", "subagents", "two"]
    listed.clear()
    second = again(root, first)
    assert (listed, second.same, second.files) == ([], True, first.files)
    # What was not listed is remembered all the same.
    assert again(root, second).files == first.files
    assert listed == []


def test_a_file_that_grows_in_a_folder_that_is_not_listed_is_noticed(
    root: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str]
) -> None:
    later(monkeypatch)
    first = Walk([str(root)])
    listed.clear()
    grown = root / "projects" / "two" / "b.jsonl"
    grown.write_text("{}\n{}\n")
    second = again(root, first)
    assert (listed, second.same) == ([], False)
    assert second.files[os.fsencode(grown)][1] == 6


def test_what_is_put_into_a_folder_is_found_also_when_its_time_is_set_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch)
    first = Walk([str(root)])
    folder = root / "projects" / "one"
    looks = folder.stat()
    (folder / "new.jsonl").write_text("{}\n")
    os.utime(folder, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    assert os.fsencode(folder / "new.jsonl") in again(root, first).files
    (folder / "a.jsonl").unlink()
    os.utime(folder, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    there = {os.fsencode(path) for path in (root / "projects").rglob("*.jsonl")}
    assert again(root, first).files.keys() == there


def test_a_folder_that_changed_a_moment_ago_is_listed_again(root: Path, listed: list[str]) -> None:
    first = Walk([str(root)])
    assert first.folders == {}
    listed.clear()
    assert again(root, first).same
    assert len(listed) == 5


def test_a_folder_with_a_link_is_listed_each_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    elsewhere = root / "elsewhere"
    (root / "projects" / "one" / "link").symlink_to(elsewhere)
    first = Walk([str(root)])
    assert first.links == 0
    elsewhere.mkdir()
    assert again(root, first).links == 1


@pytest.mark.parametrize("listing", [None, b"", b"\xff", b"[", "text", 7, b"[\x02\x00\x00\x00NN"])
def test_a_listing_that_is_none_is_as_good_as_no_listing(root: Path, listing: object) -> None:
    found = Walk([str(root)], listing)
    assert not found.same
    assert len(found.files) == 3
