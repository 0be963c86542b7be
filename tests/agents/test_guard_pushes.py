"""What leaves with each kind of push, as git itself tells its hook: a real repository and a real bare remote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oneseat import UsageError
from oneseat.agents.guard.app import of_framework, of_index, of_push, of_range, of_unpushed
from oneseat.agents.guard.report import Report

from .repositories import Repo, made_up, only, rules, seat_token

TOKEN = "claude-subscription-token"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository whose remote has one commit with a secret: what is there already does not leave again."""
    repo = Repo(tmp_path)
    repo.remote()
    repo.commit({"old.txt": seat_token(), "a.txt": "one\ntwo\n"})
    repo.git("push", "--quiet", "--no-verify", "--set-upstream", "origin", "main")
    return repo


def new_branch(repo: Repo) -> Report:
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit({"b.txt": seat_token()})
    return repo.push("origin", "side")


def update(repo: Repo) -> Report:
    repo.commit({"b.txt": seat_token()})
    return repo.push("origin", "main")


def forced(repo: Repo) -> Report:
    repo.commit({"b.txt": "pushed, then rewritten"})
    repo.git("push", "--quiet", "--no-verify", "origin", "main")
    repo.write("b.txt", seat_token())
    repo.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    return repo.push("--force", "origin", "main")


def over_what_others_pushed(repo: Repo) -> Report:
    """The remote moved on, and nobody fetched: its newest commit is not here."""
    other = Repo(repo.folder, "other", init=False)
    repo.git("clone", "--quiet", str(repo.folder / "origin.git"), str(other.path))
    other.commit({"theirs.txt": "x"})
    other.git("push", "--quiet", "origin", "main")
    repo.commit({"b.txt": seat_token()})
    return repo.push("--force", "origin", "main")


def annotated_tag(repo: Repo) -> Report:
    repo.git("tag", "--annotate", "v1", "-m", f"the key is {seat_token()}")
    return repo.push("origin", "v1")


def tag_of_a_file(repo: Repo) -> Report:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=seat_token().encode())
    repo.git("tag", "v1", blob)
    return repo.push("origin", "v1")


def many_refs(repo: Repo) -> Report:
    for number in range(30):
        repo.git("branch", f"b{number}")
    repo.commit({"b.txt": seat_token()})
    repo.git("branch", "last")
    return repo.push("--all", "origin")


def detached(repo: Repo) -> Report:
    repo.git("checkout", "--quiet", "--detach")
    repo.commit({"b.txt": seat_token()})
    return repo.push("origin", "HEAD:refs/heads/new")


def to_an_address(repo: Repo) -> Report:
    repo.commit({"b.txt": seat_token()})
    return repo.push(str(repo.folder / "origin.git"), "main:main")


def from_a_worktree(repo: Repo) -> Report:
    repo.git("worktree", "add", "--quiet", "-b", "tree", str(repo.folder / "tree"))
    tree = Repo(repo.folder, "tree", init=False)
    tree.commit({"b.txt": seat_token()})
    return tree.push("origin", "tree")


def from_a_shallow_clone(repo: Repo) -> Report:
    repo.commit({"c.txt": "more"})
    repo.git("push", "--quiet", "--no-verify", "origin", "main")
    repo.git(
        "clone", "--quiet", "--depth=1", f"file://{repo.folder}/origin.git", str(repo.folder / "shallow")
    )
    shallow = Repo(repo.folder, "shallow", init=False)
    hook = shallow.path / ".git/hooks/pre-push"
    hook.write_bytes((repo.path / ".git/hooks/pre-push").read_bytes())
    hook.chmod(0o755)
    shallow.commit({"b.txt": seat_token()})
    return shallow.push("origin", "main")


def secret_in_a_merge(repo: Repo) -> Report:
    """In neither parent, only in how the two were put together."""
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit({"side.txt": "x"})
    repo.git("checkout", "--quiet", "main")
    repo.commit({"main.txt": "x"})
    repo.git("merge", "--quiet", "--no-commit", "side")
    repo.write("b.txt", seat_token())
    repo.git("add", "b.txt")
    repo.git("commit", "--quiet", "-m", "merge")
    return repo.push("origin", "main")


def removed_again(repo: Repo) -> Report:
    repo.commit({"b.txt": seat_token()})
    repo.git("rm", "--quiet", "b.txt")
    repo.commit()
    return repo.push("origin", "main")


def in_a_message(repo: Repo) -> Report:
    repo.commit({"b.txt": "x"}, message=f"use {seat_token()}")
    return repo.push("origin", "main")


WITH_A_SECRET = [
    new_branch,
    update,
    forced,
    over_what_others_pushed,
    annotated_tag,
    tag_of_a_file,
    many_refs,
    detached,
    to_an_address,
    from_a_worktree,
    from_a_shallow_clone,
    secret_in_a_merge,
    removed_again,
    in_a_message,
]


@pytest.mark.parametrize("kind", WITH_A_SECRET, ids=lambda kind: kind.__name__)
def test_a_secret_that_leaves_is_found_and_what_is_there_already_is_not(
    kind: Callable[[Repo], Report], repo: Repo
) -> None:
    report = kind(repo)
    assert rules(report) == [TOKEN]
    assert report.stopped
    assert only(report).path != "old.txt"


def test_nothing_leaves_when_a_branch_is_deleted_or_nothing_is_new(repo: Repo) -> None:
    repo.git("branch", "gone")
    repo.git("push", "--quiet", "--no-verify", "origin", "gone")
    for report in (
        repo.push("origin", ":gone"),
        repo.scan(of_push("origin", str(repo.folder / "origin.git"), "")),
    ):
        assert report.findings == ()
        assert (report.scanned.commits, report.scanned.bytes) == (0, 0)


def test_another_address_to_push_to_has_nothing_of_what_was_fetched(repo: Repo) -> None:
    elsewhere = repo.folder / "public.git"
    repo.git("init", "--quiet", "--bare", str(elsewhere))
    repo.git("remote", "set-url", "--push", "origin", str(elsewhere))
    assert only(repo.push("origin", "main")).path == "old.txt"


@pytest.mark.parametrize(
    "line", ["refs/heads/main", "a b c d", f"refs/heads/x {'0' * 40} refs/heads/x {'0' * 39}"]
)
def test_lines_that_are_not_gits_are_refused(line: str, repo: Repo) -> None:
    with pytest.raises(UsageError) as caught:
        repo.scan(of_push("origin", "x", line))
    assert caught.value.info.code == "usage.guard_range"


def test_a_submodule_is_scanned_by_its_own_range(repo: Repo) -> None:
    library = Repo(repo.folder, "library")
    library.commit({"old.txt": seat_token()})
    repo.git("submodule", "--quiet", "add", str(library.path), "lib")
    repo.commit(message="add it")
    assert repo.push("origin", "main").findings == ()
    repo.git("push", "--quiet", "--no-verify", "origin", "main")
    inside = Repo(repo.folder, "work/lib", init=False)
    inside.git("config", "user.name", "Ana")
    inside.commit({"new.txt": seat_token()})
    repo.commit(message="take the new one")
    assert [finding.path for finding in repo.push("origin", "main").findings] == ["lib/new.txt"]


def test_only_new_lines_count_and_lines_that_move_do_not(repo: Repo) -> None:
    text = (repo.path / "old.txt").read_text()
    repo.commit({"old.txt": f"one more line\n\n{text}\nand another\n"})
    repo.git("mv", "old.txt", "renamed.txt")
    repo.commit()
    assert repo.push("origin", "main").findings == ()
    repo.commit({"renamed.txt": f"x\n{text}\nTOKEN={seat_token()}\n"})
    assert only(repo.push("origin", "main")).line == 3


def test_replaced_objects_are_what_git_shows_and_not_what_it_sends(repo: Repo) -> None:
    commit = repo.commit({"b.txt": seat_token()})
    blob = repo.git("rev-parse", f"{commit}:b.txt")
    repo.git("replace", blob, repo.git("hash-object", "-w", "--stdin", stdin=b"harmless"))
    assert rules(repo.push("origin", "main")) == [TOKEN]


def test_ranges_the_index_and_what_is_not_pushed_yet(repo: Repo) -> None:
    first = repo.commit({"b.txt": seat_token()})
    repo.commit({"c.txt": "x"})
    assert only(repo.scan(of_unpushed)).commit == first
    assert repo.scan(of_range("HEAD~1..HEAD")).findings == ()
    assert rules(repo.scan(of_range("origin/main..HEAD"))) == [TOKEN]
    assert repo.scan(of_index).scanned.blobs == 0
    repo.write("staged.txt", seat_token())
    repo.git("add", "staged.txt")
    found = only(repo.scan(of_index))
    assert (found.path, found.commit) == ("staged.txt", None)
    for bad in ("nothing..HEAD", "--all", "-x"):
        with pytest.raises(UsageError) as caught:
            repo.scan(of_range(bad))
        assert caught.value.info.code == "usage.guard_range"


def test_the_pre_commit_program_names_what_is_pushed_by_variables(repo: Repo) -> None:
    old, new = repo.git("rev-parse", "HEAD"), repo.commit({"b.txt": seat_token()})
    assert of_framework({}) is None
    given = {"PRE_COMMIT_REMOTE_NAME": "origin"}
    for more in (
        {"PRE_COMMIT_FROM_REF": old, "PRE_COMMIT_TO_REF": new},
        {"PRE_COMMIT_LOCAL_BRANCH": "refs/heads/main"},
    ):
        what = of_framework({**given, **more})
        assert what is not None
        assert rules(repo.scan(what)) == [TOKEN]
    gone = of_framework({**given, "PRE_COMMIT_TO_REF": "0" * 40})
    assert gone is not None
    with pytest.raises(UsageError) as caught:
        repo.scan(gone)
    assert caught.value.info.code == "usage.unreadable_object"


def test_a_first_commit_that_is_only_staged(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    assert repo.scan(of_unpushed).scanned.commits == 0
    repo.write("a.txt", seat_token())
    repo.git("add", "a.txt")
    assert rules(repo.scan(of_index)) == [TOKEN]


def test_four_thousand_commits_are_scanned_once(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    stream = [
        f"commit refs/heads/main\ncommitter A <a@a.example> {number} +0000\ndata 1\nx\nM 644 inline f{number % 50}\n"
        f"data {len(text)}\n{text}\n"
        for number in range(1, 4001)
        for text in [f"line {number}\n" * 5 if number != 2000 else f"{made_up(9)} {seat_token()}"]
    ]
    repo.git("fast-import", "--quiet", stdin="".join(stream).encode())
    first, second = repo.scan(), repo.scan()
    assert first.scanned.commits == 4000
    assert rules(first) == [TOKEN]
    assert (second.scanned, second.findings) == (first.scanned, first.findings)
    assert second.duration_ms < first.duration_ms
