"""What a scan reports, and what it keeps to itself: a planted set, acceptances, the model, and everything that can go wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oneseat import UsageError
from oneseat.agents.guard.app import of_everything, of_index, of_unpushed
from oneseat.agents.guard.git import BIGGEST
from oneseat.agents.guard.leaving import everything, leaving
from oneseat.agents.guard.report import Finding
from oneseat.agents.guard.rules import load_rules
from oneseat.agents.guard.sarif import sarif
from oneseat.agents.guard.scan import Scan
from oneseat.agents.guard.store import Opinion, Store

from .repositories import Repo, made_up, only, rules, seat_token

HEX, DIGITS, CAPITALS = "0123456789abcdef", "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
TODAY = datetime.now(UTC).date()
PEM = "PRIVATE KEY"


def planted() -> dict[str, tuple[str, str]]:
    """Made-up secrets and traces: for each file its line, and the rule that has to find it."""
    lines = [
        ("claude-subscription-token", f'TOKEN = "{seat_token()}"'),
        ("anthropic-api-key", f'key = "sk-ant-api03-{made_up(93)}AA"'),
        ("openai-api-key", f'openai.api_key = "sk-proj-{made_up(64)}"'),
        ("google-api-key", f'gemini = "AIzaSy{made_up(33)}"'),
        ("google-oauth", f'client_secret = "GOCSPX-{made_up(28)}"'),
        ("github-token", f'gh = "ghp_{made_up(36)}"'),
        ("gitlab-token", f'gl = "glpat-{made_up(20)}"'),
        ("aws-access-key", f"aws_access_key_id = AKIA{made_up(16, CAPITALS)}"),
        ("aws-secret-key", f"aws_secret_access_key = {made_up(36)}/+aZ"),
        ("slack", f"xoxb-{made_up(12, DIGITS)}-{made_up(12, DIGITS)}-{made_up(24)}"),
        (
            "slack",
            f"https://hooks.slack.com/services/T{made_up(8, CAPITALS)}/B{made_up(8, CAPITALS)}/{made_up(24)}",
        ),
        ("telegram-bot-token", f'bot = "{made_up(10, DIGITS)}:AA{made_up(33)}"'),
        ("stripe-key", f'stripe.api_key = "sk_live_{made_up(24)}"'),
        ("stripe-key", f"webhook: whsec_{made_up(32)}"),
        ("package-index-token", f"npm_{made_up(36)}"),
        ("mail-and-message-service", f"SG.{made_up(22)}.{made_up(43)}"),
        ("jwt", f"eyJ{made_up(33)}.eyJ{made_up(60)}.{made_up(43)}"),
        ("connection-string", f'url = "postgres://app:{made_up(14)}@db.shop.mx:5432/app"'),
        ("connection-string", f'cache = "redis://:{made_up(14)}@cache.shop.mx:6379/0"'),
        ("secret-constant", f'const TOKEN = "{made_up(64, HEX)}"'),
        ("private-key", f"-----BEGIN RSA {PEM}-----\n{made_up(64)}\n{made_up(64)}\n-----END RSA {PEM}-----"),
        ("curp", "GOMA850101HDFRRN09"),
        ("rfc", "RFC: GOMA850101AB1"),
        ("phone", "tel: +52 33 1845 7729"),
        ("payment-card", "4539 1488 0343 6467"),
        ("iban", "ES91 2100 0418 4502 0005 1332"),
        ("home-path", f"/{'home'}/gabriela/app/run.py"),
        ("private-address", 'host = "192.168.1.77"'),
    ]
    return {f"file{number}.txt": line[::-1] for number, line in enumerate(lines)} | {
        "prod.env": (f"DB_PASSWORD=Tr0mpo-{made_up(6)}", "secret-in-settings")
    }


def test_everything_planted_is_found_and_nothing_of_it_is_shown_or_kept(tmp_path: Path) -> None:
    repo, there = Repo(tmp_path), planted()
    repo.commit({name: f"one\n{line}\n" for name, (line, _) in there.items()})
    report = repo.scan()
    found = {(finding.path, finding.rule) for finding in report.findings}
    assert {(name, rule) for name, (_, rule) in there.items()} - found == set()
    assert all(finding.line == 2 for finding in report.findings if finding.rule != "env-file")
    shown = json.dumps(sarif(report)) + repr(report)
    kept = b"".join(file.read_bytes() for file in (tmp_path / "oneseat/data/guard").iterdir())
    for line, _ in there.values():
        words = [
            word for word in line.replace('"', " ").split() if len(word) > 9 and any(map(str.isdigit, word))
        ]
        assert [word for word in words if word in shown or word.encode() in kept] == []


def test_a_sarif_log_has_each_finding_with_its_place(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    commit = repo.commit({"a b/é.py": f"x\n\nKEY = '{seat_token()}'\n"})
    log = sarif(repo.scan())
    (run,) = log["runs"]
    (result,) = run["results"]
    assert (log["version"], result["ruleId"], result["level"]) == (
        "2.1.0",
        "claude-subscription-token",
        "error",
    )
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b/%C3%A9.py"}, "region": {"startLine": 3}}
    assert result["properties"]["commit"] == commit
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["claude-subscription-token"]


def test_names_and_texts_that_are_not_utf8(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    odd = os.fsdecode(b"caf\xe9\n.txt")
    repo.commit(
        {
            odd: seat_token(),
            "windows.txt": f"KEY={seat_token()}".encode("utf-16"),
            "bare.txt": f"KEY={seat_token()}".encode("utf-16-le"),
            "latin.txt": f"contrase\u00f1a {seat_token()}".encode("latin-1"),
            "program.bin": b"\x7fELF\0\0\1" * 99 + seat_token().encode() + b"\0\0",
            "picture.bin": os.urandom(5000) + b"\0",
            "empty.txt": b"",
        }
    )
    report = repo.scan()
    assert sorted(finding.path for finding in report.findings) == [
        "bare.txt",
        "caf\\udce9\\n.txt",
        "latin.txt",
        "program.bin",
        "windows.txt",
    ]
    assert report.scanned.blobs == 7


def test_a_file_too_big_to_look_into_stops_until_it_is_accepted(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"big.bin": bytes(BIGGEST + 1)})
    found = only(repo.scan())
    assert (found.rule, found.stops) == ("too-big-to-scan", True)
    accept(repo, found)
    assert repo.scan().stopped is False


def test_the_work_tree_is_looked_at_for_files_that_should_be_ignored(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.txt": "x"})
    repo.write(".env", "A=1\n")
    report = repo.scan(beside=True)
    assert [(finding.category, finding.rule, finding.stops) for finding in report.findings] == [
        (6, "secret-file-not-ignored", True),
        (6, "no-example-env", False),
    ]
    repo.write(".gitignore", ".env\n")
    repo.write(".env.example", "A=\n")
    assert repo.scan(beside=True).findings == ()


def test_a_lock_file_that_is_deleted_or_loses_its_checksums(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    locked = f"a==1 --hash=sha256:{made_up(64, HEX)}\n"
    repo.commit({"uv.lock": "x", "requirements.txt": locked})
    repo.commit({"requirements.txt": "a==1\n"})
    repo.git("rm", "--quiet", "uv.lock")
    repo.commit()
    assert sorted(rules(repo.scan())) == ["lock-file-removed", "lock-hashes-removed"]


# --- What the owner accepts ---


def accept(repo: Repo, finding: Finding, days: int = 30, reason: str = "a key of the sandbox") -> Finding:
    return repo.guard.accept(finding.fingerprint[:8], reason, TODAY + timedelta(days=days))


def test_an_accepted_finding_passes_where_its_line_moves_and_nowhere_else(tmp_path: Path) -> None:
    repo, token = Repo(tmp_path), seat_token()
    repo.commit({"a.txt": token})
    finding = only(repo.scan())
    accept(repo, finding)
    report = repo.scan()
    assert (report.findings, report.stopped, len(report.accepted)) == ((), False, 1)
    word = repo.guard.explain(finding.fingerprint).accepted
    assert word is not None
    assert (word.author, word.reason) == ("Ana <ana@example.com>", "a key of the sandbox")
    repo.commit({"a.txt": f"\n\nmoved {token}"})
    assert repo.scan().stopped is False
    repo.commit({"b.txt": token})
    assert only(repo.scan()).path == "b.txt"
    other = Repo(tmp_path, "other")
    other.commit({"a.txt": token})
    assert only(other.scan()).stops


def test_an_acceptance_ends(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.txt": seat_token()})
    finding = only(repo.scan())
    accept(repo, finding, days=0)
    assert repo.scan().stopped is False
    store = Store(tmp_path / "oneseat/data/guard")
    word = store.accepted()[finding.fingerprint]
    yesterday = type(word)(
        reason=word.reason, author=word.author, until=str(TODAY - timedelta(days=1)), at=word.at
    )
    store.accept(finding.fingerprint, yesterday)
    store.close()
    again = only(repo.scan())
    assert (again.expired, again.stops) == (True, True)


@pytest.mark.parametrize(
    ("days", "reason", "code"),
    [
        (-1, "a key of the sandbox", "usage.bad_acceptance"),
        (400, "a key of the sandbox", "usage.bad_acceptance"),
        (30, "  no   ", "usage.bad_acceptance"),
    ],
)
def test_an_acceptance_needs_a_reason_and_a_day(days: int, reason: str, code: str, tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.txt": seat_token()})
    finding = only(repo.scan())
    with pytest.raises(UsageError) as caught:
        accept(repo, finding, days, reason)
    assert caught.value.info.code == code
    assert repo.scan().stopped


def test_who_accepts_must_be_known_and_be_no_run(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.txt": seat_token()})
    finding = only(repo.scan())
    repo.git("config", "--unset", "user.email")
    with pytest.raises(UsageError) as caught:
        accept(repo, finding)
    assert caught.value.info.code == "usage.bad_acceptance"
    repo.env = {**repo.env, "ONESEAT_RUN_ID": "abc"}
    with pytest.raises(UsageError) as caught:
        accept(repo, finding)
    assert caught.value.info.code == "usage.not_confirmed"


@pytest.mark.parametrize("beginning", ["", "zz", "'; --", "0" * 20, "abc"])
def test_a_fingerprint_that_names_no_finding(beginning: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Repo(tmp_path).guard.explain(beginning)
    assert caught.value.info.code == "usage.unknown_finding"


# --- What the model says ---

Answer = Callable[[list[Finding]], tuple[Mapping[str, Opinion], int, str | None]]


@contextmanager
def reviewed(repo: Repo, answer: Answer) -> Iterator[Scan]:
    with closing(Store(repo.folder / "oneseat/data/guard")) as store:
        yield Scan(repo.guard._repository, load_rules(), store, answer)


def test_the_model_is_asked_once_and_releases_no_secret(tmp_path: Path) -> None:
    repo, asked = Repo(tmp_path), []

    def false_alarm(findings: list[Finding]) -> tuple[Mapping[str, Opinion], int, str | None]:
        asked.append([finding.rule for finding in findings])
        return {finding.fingerprint: Opinion("false_alarm", "a sample") for finding in findings}, 1, None

    repo.commit({"a.py": f'KEY = "{seat_token()}"\nsubprocess.run(command, shell=True)\n'})
    what = leaving(repo.guard._repository, everything(repo.guard._repository))
    with reviewed(repo, false_alarm) as scan:
        report = scan.run(what, beside=False)
        again = scan.run(leaving(repo.guard._repository, everything(repo.guard._repository)), beside=False)
    assert {finding.rule: finding.stops for finding in report.findings} == {
        "claude-subscription-token": True,
        "shell-true": False,
    }
    assert {finding.verdict for finding in report.findings} == {"false_alarm"}
    assert (again.model_runs, again.findings, len(asked)) == (0, report.findings, 1)


def test_without_an_answer_the_rules_decide(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.py": "subprocess.run(command, shell=True)\n"})
    with reviewed(repo, lambda _: ({}, 0, "signed out")) as scan:
        report = scan.run(leaving(repo.guard._repository, everything(repo.guard._repository)), beside=False)
    assert (report.stopped, report.model_note, only(report).verdict) == (True, "signed out", "not_asked")


# --- Another scanner ---

LEAK = {
    "RuleID": "their-rule",
    "Description": "A key.",
    "StartLine": 1,
    "Secret": "theirs-1234567",
    "File": "a.txt",
}


def other_scanner(repo: Repo, script: str) -> None:
    """A program called gitleaks, first in PATH."""
    program = repo.folder / "bin/gitleaks"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)
    repo.env = {**repo.env, "PATH": f"{program.parent}{os.pathsep}{repo.env['PATH']}"}


def test_another_scanner_adds_what_is_not_found_already(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    commit = repo.commit({"a.txt": "theirs-1234567\n", "b.txt": seat_token()})
    leaks = [{**LEAK, "Commit": commit}, {**LEAK, "Commit": commit, "File": "b.txt"}]
    other_scanner(repo, f"echo \"$@\" > {tmp_path}/asked; echo '{json.dumps(leaks)}'")
    report = repo.guard.scan(of_everything, ask=False, beside=False, other=True)
    assert {(finding.path, finding.rule) for finding in report.findings} == {
        ("a.txt", "gitleaks-their-rule"),
        ("b.txt", "claude-subscription-token"),
    }
    assert "theirs-1234567" not in repr(report)
    assert f"--log-opts=--no-walk {commit}" in (tmp_path / "asked").read_text("utf-8")
    repo.write("c.txt", "x")
    repo.git("add", "c.txt")
    repo.guard.scan(of_index, ask=False, beside=False, other=True)
    assert "--staged" in (tmp_path / "asked").read_text("utf-8")


@pytest.mark.parametrize("script", ["echo '[]'; echo fatal: bad object >&2", "exit 3", "echo hello"])
def test_another_scanner_that_fails_stops_the_push(script: str, tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.txt": "x"})
    other_scanner(repo, script)
    with pytest.raises(UsageError) as caught:
        repo.guard.scan(of_everything, ask=False, other=True)
    assert caught.value.info.code == "usage.guard_scanner"


# --- What goes wrong: nothing passes unseen ---


def fails(repo: Repo, code: str) -> str:
    with pytest.raises(UsageError) as caught:
        repo.scan()
    assert caught.value.info.code == code
    return caught.value.info.message


def test_where_there_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    fails(Repo(tmp_path, init=False), "usage.not_a_repository")
    fails(Repo(tmp_path, "nowhere", init=False), "usage.not_a_repository")


def loose(repo: Repo, name: str) -> Path:
    oid = repo.git("rev-parse", name)
    path = repo.path / ".git/objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    return path


def test_an_object_that_is_missing_or_damaged(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.txt": "x", "b.txt": "y" * 999})
    loose(repo, "HEAD:b.txt").write_bytes(b"damaged")
    fails(repo, "usage.unreadable_object")
    loose(repo, "HEAD:b.txt").unlink()
    fails(repo, "usage.unreadable_object")
    loose(repo, "HEAD^{tree}").unlink()
    fails(repo, "usage.guard_git")


def test_own_files_that_are_damaged_or_cannot_be_written(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.txt": "x"})
    repo.scan()
    own = tmp_path / "oneseat/data/guard"
    assert {file.stat().st_mode & 0o777 for file in (own / "store.db", own / "store.key")} == {0o600}
    (own / "store.db").write_bytes(b"not a database, and longer than its head" * 99)
    assert str(own) in fails(repo, "usage.guard_store")
    (own / "store.db").unlink()
    (own / "store.key").write_bytes(b"short")
    fails(repo, "usage.guard_store")


def test_a_bare_repository_can_be_scanned(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.commit({"a.txt": seat_token()})
    repo.git("clone", "--quiet", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    bare = Repo(tmp_path, "bare.git", init=False)
    assert only(bare.scan(of_everything, beside=True)).path == "a.txt"
    assert only(bare.scan(of_unpushed)).path == "a.txt"
