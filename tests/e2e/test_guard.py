"""`oneseat guard` as its owner uses it: the installed hook, real pushes, and the real CLI on the simulator as the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import Simulator
from oneseat.testing.replies import Answer, Structured
from tests.agents.repositories import Repo, seat_token
from tests.cli.shapes import check_shape

from .driving import Done, Seat


class Owner:
    """A seat and a repository with a remote, whose pre-push hook is oneseat's."""

    def __init__(
        self, root: Path, claude: Path, simulator: Simulator | None = None, play: str = "ok"
    ) -> None:
        self.repo = Repo(root / "repos")
        self.seat = Seat(root, claude, simulator, play)
        self.seat.cwd = self.repo.path
        self.seat.env |= {name: value for name, value in self.repo.env.items() if name.startswith("GIT_")}
        self.repo.env = self.seat.env
        self.repo.git("init", "--quiet", "--bare", str(root / "repos/origin.git"))
        self.repo.git("remote", "add", "origin", str(root / "repos/origin.git"))

    def guard(self, *arguments: str, stdin: bytes | None = None) -> Done:
        return self.seat.run("guard", *arguments, stdin=stdin)

    def doctor(self) -> list[dict[str, Any]]:
        """What the doctor says of the hook."""
        findings = self.seat.run("doctor", "--json").result["findings"]
        return [finding for finding in findings if finding["code"].startswith("hook.")]


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    """An owner without a CLI: what is found is judged by the rules alone."""
    return Owner(tmp_path, tmp_path / "no-claude")


def test_the_hook_stops_a_secret_lets_the_rest_pass_and_goes_away_again(owner: Owner) -> None:
    hook = owner.repo.path / ".git/hooks/pre-push"
    hook.write_text(f"#!/bin/sh\ncat > {owner.repo.folder}/seen\n", "utf-8")
    hook.chmod(0o755)
    mine = hook.read_text("utf-8")
    assert owner.guard("install").code == 0
    owner.repo.commit({"a.txt": "hello\n"})
    assert "nothing stops the push" in owner.repo.git("push", "origin", "main")
    assert "refs/heads/main" in (owner.repo.folder / "seen").read_text("utf-8")
    assert "scanned: 0 commits" in owner.repo.git("push", "origin", "main", "--verbose")
    assert (owner.repo.folder / "seen").read_bytes() == b""
    token = seat_token()
    commit = owner.repo.commit({"a.txt": f"hello\n{token}\n"})
    said = owner.repo.git("push", "origin", "main", fails=True)
    assert "STOP  a.txt:2  claude-subscription-token" in said
    assert commit in said
    assert token not in said
    assert owner.repo.git("ls-remote", "origin", "main").split()[0] != commit
    hook.chmod(0o644)
    assert [(found["level"], found["fix"]) for found in owner.doctor()] == [
        ("warning", "Install it again: `oneseat guard install`")
    ]
    hook.chmod(0o755)
    assert [found["level"] for found in owner.doctor()] == ["ok"]
    assert owner.guard("uninstall").code == 0
    assert hook.read_text("utf-8") == mine
    assert owner.guard("uninstall").code == 2


def test_a_hook_of_a_worktree_and_of_a_folder_that_git_is_told_of(owner: Owner) -> None:
    owner.repo.commit({"a.txt": "x"})
    owner.repo.git("worktree", "add", "--quiet", "-b", "tree", str(owner.repo.folder / "tree"))
    owner.repo.git("config", "core.hooksPath", "hooks of mine")
    done = owner.guard("install", "--repo", str(owner.repo.folder / "tree"))
    assert done.code == 0
    assert (owner.repo.folder / "tree/hooks of mine/pre-push").exists()
    tree = Repo(owner.repo.folder, "tree", init=False)
    tree.env = owner.repo.env
    tree.commit({"b.txt": seat_token()})
    assert "b.txt:1" in tree.git("push", "origin", "tree", fails=True)


def test_exit_codes_and_json(owner: Owner) -> None:
    owner.repo.commit({"a.txt": "x"})
    clean = owner.guard("scan", "--json")
    assert (clean.code, clean.result["findings"], clean.result["model_runs"]) == (0, [], 0)
    assert clean.result["scanned"]["commits"] == 1
    owner.repo.commit({"b.txt": seat_token()})
    stopped = owner.guard("scan", "--no-model", "--json")
    check_shape("guard-scan", stopped)
    (finding,) = stopped.result["findings"]
    assert (stopped.code, finding["category"], finding["verdict"], finding["stops"]) == (
        9,
        1,
        "not_asked",
        True,
    )
    explained = owner.guard("explain", finding["fingerprint"][:10], "--json")
    assert explained.result["path"] == "b.txt"
    assert (
        owner.guard("accept", finding["fingerprint"], "--reason", "made up", "--until", "2020-01-01").code
        == 2
    )
    assert owner.guard("scan", "--range", "HEAD~1..HEAD", "--staged").code == 2
    assert owner.guard("scan", "--repo", str(owner.seat.temporary)).code == 2


def test_continuous_integration_tests_the_rules_and_writes_sarif(owner: Owner) -> None:
    owner.repo.commit({"b.txt": seat_token()})
    done = owner.guard("scan", "--ci", "--sarif", "found.sarif")
    assert done.code == 9
    log = json.loads((owner.repo.path / "found.sarif").read_text("utf-8"))
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["claude-subscription-token"]
    rules = owner.seat.home / "config/guard/mine.toml"
    rules.parent.mkdir(parents=True)
    rules.write_text(
        'category = 2\nname = "x"\n[[rules]]\nid = "x"\nseverity = "high"\nwhy = "w"\nremedy = "r"\npattern = "x"\n'
        'true = ["nothing of it"]\nfalse = []\n',
        "utf-8",
    )
    done = owner.guard("scan", "--ci", "--json")
    assert (done.code, done.result["error"]["code"]) == (2, "usage.guard_self_test")


def test_the_model_judges_new_findings_once_and_sees_no_secret(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    verdicts = [
        {"number": number, "verdict": verdict, "why": "It is.", "fix": "Do so."}
        for number, verdict in ((1, "real"), (2, "false_alarm"))
    ]
    simulator.script("judged", [Answer(content=(Structured({"findings": verdicts}),))])
    owner = Owner(tmp_path, claude_path, simulator, "judged")
    token = seat_token()
    owner.repo.commit({"a.py": f"KEY = '{token}'\nsubprocess.run(command, shell=True)\n"})
    first = owner.guard("scan", "--json")
    assert (first.code, first.result["model_runs"], first.result["model_note"]) == (9, 1, None)
    assert [(each["verdict"], each["stops"]) for each in first.result["findings"]] == [
        ("real", True),
        ("false_alarm", False),
    ]
    (request,) = simulator.messages()
    assert token not in json.dumps(request.body)
    assert "claude-subscription-token" in json.dumps(request.body)
    again = owner.guard("scan", "--json")
    assert (again.result["model_runs"], again.result["findings"]) == (0, first.result["findings"])
    assert len(simulator.messages()) == 1
