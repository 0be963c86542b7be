"""The fake CLIs, as a runner meets them: started by their own first line, spoken to over pipes."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from oneseat.testing import FAKE_CLIS, Behaviour, FakeCli, write_fake_cli
from oneseat.testing.fake_cli import CloseStdout, Exit, Grandchild, LongLine, Replay, Wait

INITIALIZE = b'{"type":"control_request","request_id":"a","request":{"subtype":"initialize"}}\n'
PROMPT = b'{"type":"user","message":{"role":"user","content":"hi"},"parent_tool_use_id":null,"session_id":"default"}\n'


class Ended(NamedTuple):
    code: int
    out: bytes
    err: bytes

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def types(self) -> list[str]:
        return [line["type"] for line in self.lines()]


def start(cli: FakeCli, *argv: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [cli.path, *argv], stdin=pipe, stdout=pipe, stderr=pipe, env={"A_NAME": "a value"}
    )


def run(cli: FakeCli, given: bytes = INITIALIZE + PROMPT, *argv: str) -> Ended:
    """Start, hand over everything, close stdin, wait for the end."""
    with start(cli, *argv) as process:
        out, err = process.communicate(given, timeout=30)
    return Ended(process.returncode, out, err)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "claude"


@pytest.fixture
def stubborn(path: Path) -> Iterator[FakeCli]:
    """A fake that must be killed, and is when the test is over."""
    cli = FakeCli(path)
    yield cli
    for pid in [*(started.pid for started in cli.starts()), *cli.grandchildren()]:
        if psutil.pid_exists(pid):
            psutil.Process(pid).kill()


@pytest.mark.parametrize(
    ("name", "code", "types"),
    [
        ("ok", 0, ["control_response", "system", "assistant", "result"]),
        ("dies-at-start", 1, []),
        ("dies-at-initialize", 137, []),
        ("dies-mid-answer", 0, ["control_response", "system", "assistant"]),
        ("silent", 0, []),
        ("api-key", 0, ["control_response", "system", "assistant", "result"]),
        ("cloud", 0, ["control_response", "system", "assistant", "result"]),
        ("signed-out", 0, ["control_response", "system", "assistant", "result"]),
        ("closes-stdout", 0, ["control_response", "system", "assistant"]),
    ],
)
def test_a_named_fake_behaves_as_its_name_says(path: Path, name: str, code: int, types: list[str]) -> None:
    ended = run(write_fake_cli(path, name))
    assert (ended.code, ended.types()) == (code, types)


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("ok", {"tokenSource": "CLAUDE_CODE_OAUTH_TOKEN", "apiProvider": "firstParty"}),
        ("api-key", {"apiKeySource": "ANTHROPIC_API_KEY", "apiProvider": "firstParty"}),
        ("cloud", {"apiProvider": "bedrock"}),
        ("signed-out", {"tokenSource": "none", "apiProvider": "firstParty"}),
    ],
)
def test_initialize_is_answered_with_the_account(path: Path, name: str, account: dict[str, str]) -> None:
    (line,) = run(write_fake_cli(path, name), INITIALIZE).lines()
    assert line["response"]["subtype"] == "success"
    assert (line["response"]["request_id"], line["response"]["response"]["account"]) == ("a", account)


@pytest.mark.parametrize("name", ["garbage", "garbage-mid-answer", "half-line"])
def test_garbage_is_not_json(path: Path, name: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        run(write_fake_cli(path, name)).lines()


def test_other_control_requests_are_answered_as_scripted(path: Path) -> None:
    cli = write_fake_cli(path, Behaviour(answers={"get_settings": {"effective": {"a": 1}}}))
    asked = [
        {"type": "control_request", "request_id": subtype, "request": {"subtype": subtype}}
        for subtype in ("get_settings", "interrupt")
    ]
    lines = run(cli, b"".join(json.dumps(request).encode() + b"\n" for request in asked)).lines()
    assert [line["response"]["response"] for line in lines] == [{"effective": {"a": 1}}, {}]


@pytest.mark.parametrize("name", FAKE_CLIS)
def test_every_fake_reports_its_version_and_nothing_else(path: Path, name: str) -> None:
    cli = write_fake_cli(path, name)
    assert run(cli, b"", "--version") == (0, f"{FAKE_CLIS[name].version} (Claude Code)\n".encode(), b"")
    assert cli.starts() == []


def test_a_start_is_noted_with_names_only(path: Path) -> None:
    cli = write_fake_cli(path)
    run(cli, b"", "-p", "--model", "opus")
    run(cli, b"")
    first, second = cli.starts()
    assert (first.argv, second.argv) == (("-p", "--model", "opus"), ())
    assert "A_NAME" in first.environment
    assert b"a value" not in path.with_name("claude.journal").read_bytes()


def test_a_recorded_stream_is_replayed_byte_for_byte(path: Path, tmp_path: Path) -> None:
    recording = tmp_path / "recorded.jsonl"
    recording.write_bytes('{"type":"assistant","text":"grüß dich"}\n{"type":"result"}'.encode())
    cli = write_fake_cli(path, Behaviour(on_initialize=(), on_user=(Replay(str(recording)),)))
    assert run(cli).out == recording.read_bytes()


def test_a_long_line_has_exactly_its_size(path: Path) -> None:
    cli = write_fake_cli(path, Behaviour(on_start=(LongLine(2), Exit(0))))
    ended = run(cli, b"")
    assert (len(ended.out), ended.out.count(b"\n"), ended.types()) == (2 * 1024 * 1024, 1, ["assistant"])


def test_the_named_long_line_is_64_mib(path: Path) -> None:
    lines = run(write_fake_cli(path, "long-line")).out.splitlines(keepends=True)
    assert max(len(line) for line in lines) == 64 * 1024 * 1024


def test_signals_may_be_ignored(stubborn: FakeCli) -> None:
    write_fake_cli(stubborn.path, "ignores-signals")
    with start(stubborn) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(INITIALIZE + PROMPT)
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.kill()
    assert process.returncode == -9


def test_a_fake_may_never_exit_although_its_result_is_out(stubborn: FakeCli) -> None:
    write_fake_cli(stubborn.path, "never-exits")
    with start(stubborn) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(INITIALIZE + PROMPT)
        process.stdin.close()
        types = [json.loads(process.stdout.readline())["type"] for _ in range(4)]
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.kill()
    assert types[-1] == "result"


def test_a_grandchild_outlives_the_fake_in_a_session_of_its_own(stubborn: FakeCli) -> None:
    write_fake_cli(stubborn.path, Behaviour(on_user=(Grandchild(holds_output=False), Exit(0))))
    ended = run(stubborn)
    (pid,) = stubborn.grandchildren()
    (started,) = stubborn.starts()
    assert ended.code == 0
    assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(started.pid)


def test_a_grandchild_may_hold_stdout_open(stubborn: FakeCli) -> None:
    write_fake_cli(stubborn.path, "grandchild")
    with start(stubborn) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(INITIALIZE + PROMPT, timeout=0.3)
        assert process.wait(5) == 0
        (pid,) = stubborn.grandchildren()
        psutil.Process(pid).kill()
        out, _ = process.communicate(timeout=5)
    assert json.loads(out.splitlines()[-1])["type"] == "result"


def test_stdout_may_be_closed_long_before_the_end(stubborn: FakeCli) -> None:
    write_fake_cli(stubborn.path, Behaviour(on_start=(CloseStdout(), Wait("forever"))))
    with start(stubborn) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b""
        assert process.poll() is None
        process.kill()


def test_an_unknown_name_is_an_error(path: Path) -> None:
    with pytest.raises(KeyError):
        write_fake_cli(path, "no-such-fake")
