"""Folders that did not change are not listed again, and nothing that is put into one is missed."""

from __future__ import annotations

import marshal
import os
import time
from pathlib import Path

import pytest

from oneseat.stores.transcripts.walk import _MOST_GROWN, Walk


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


def again(root: Path, before: Walk, known: dict[str, bytes] | None = None) -> Walk:
    """A walk that knows of ``before``, which itself knew what is in ``known``; that is then as the next one needs it."""
    known = {} if known is None else known
    known.update(before.listing(before.files))
    return Walk([str(root)], known)


def test_a_folder_that_did_not_change_is_not_listed_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str]
) -> None:
    later(monkeypatch)
    first = Walk([str(root)], {})
    assert sorted(listed) == ["b", "one", "projects", "subagents", "two"]
    listed.clear()
    known: dict[str, bytes] = {}
    second = again(root, first, known)
    assert (listed, second.same, second.files) == ([], True, first.files)
    # What was not listed is remembered all the same.
    assert again(root, second, known).files == first.files
    assert listed == []


def test_a_file_that_grows_in_a_folder_that_is_not_listed_is_noticed(
    root: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str]
) -> None:
    later(monkeypatch)
    first = Walk([str(root)], {})
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
    first = Walk([str(root)], {})
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
    first = Walk([str(root)], {})
    assert first.folders == {}
    listed.clear()
    assert again(root, first).same
    assert len(listed) == 5


def test_a_link_is_counted_by_where_it_leads_now_without_listing_its_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str]
) -> None:
    later(monkeypatch)
    elsewhere = root / "elsewhere"
    (root / "projects" / "one" / "link").symlink_to(elsewhere)
    first = Walk([str(root)], {})
    assert first.links == 0
    elsewhere.mkdir()
    listed.clear()
    assert (again(root, first).links, listed) == (1, [])


def test_a_link_that_leads_to_itself_closes_no_folder(root: Path) -> None:
    loop = root / "projects" / "one" / "loop"
    loop.symlink_to(loop)
    found = Walk([str(root)], {})
    assert (found.links, found.closed_folders, len(found.files)) == (0, 0, 3)


def test_a_few_files_that_grew_are_noted_beside_the_listing(
    root: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str]
) -> None:
    later(monkeypatch)
    known: dict[str, bytes] = {}
    first = again(root, Walk([str(root)], {}), known)
    grown = [root / "projects" / name for name in ("one/a.jsonl", "two/b.jsonl", "one/a.jsonl")]
    listed.clear()
    for path in grown:
        with path.open("a") as file:
            file.write("{}\n")
        found = Walk([str(root)], known)
        assert found.changed == [os.fsencode(path)]
        assert found.listing(found.files).keys() == {"grown"}
        assert again(root, found, known).same
    # With a file more or less, a listing is written anew.
    assert (listed, first.same) == ([], True)
    (root / "projects" / "one" / "a.jsonl").unlink()
    found = Walk([str(root)], known)
    assert found.listing(found.files).keys() == {"listing", "grown"}
    assert again(root, found, known).same


def test_much_that_grew_is_a_new_listing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [root / "projects" / "one" / f"{number}.jsonl" for number in range(_MOST_GROWN + 1)]
    for path in many:
        path.touch()
    later(monkeypatch)
    first = Walk([str(root)], {})
    for path in many:
        path.write_text("{}\n")
    found = again(root, first)
    assert found.listing(found.files).keys() == {"listing", "grown"}


@pytest.mark.parametrize(
    "listing", [None, b"", b"\xff", b"[", "text", 7, b"[\x02\x00\x00\x00NN", marshal.dumps((1, {}, {}))]
)
def test_a_listing_that_is_none_is_as_good_as_no_listing(root: Path, listing: object) -> None:
    found = Walk([str(root)], {"listing": listing, "grown": listing})
    assert not found.same
    assert len(found.files) == 3
