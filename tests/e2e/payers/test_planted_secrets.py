"""Planted credentials never appear: not in a log, an error, the ledger, a command line or a temporary file."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from oneseat.app.runs import opened_reader
from oneseat.contract.history import RunFilter
from oneseat.installation import Installation
from oneseat.testing import Answer, Behaviour, Simulator, Text, ToolRound, ToolUse
from oneseat.testing.fake_cli import Complain, Exit, Initialized, Print, Result, Say, Step
from tests.e2e.driving import Done, Seat, fake_seat

#: Made up, and put together here, so that no file holds anything that looks like one. By the place each is planted in.
SECRETS = {
    "key": "sk-ant-" + "api03-pl4nted/in+the=environment",
    "login": "sk-ant-" + "oat01-pl4nted_in_the_environment",
    "plain": 'pl4nted?value&of a "shell" variable/no-shape',
    "header": "pl4nted-header-value-0123456789",
    "password": "pl4nted-password-in-a-url",
    "database": "pl4nted-database-password",
    "settings": "sk-ant-" + "api03-pl4nted-in-a-settings-file",
    "dotenv": "sk-ant-" + "api03-pl4nted-in-a-dotenv",
}
ENVIRONMENT = {
    "ANTHROPIC_API_KEY": SECRETS["key"],
    "SOME_SERVICE_TOKEN": SECRETS["plain"],
    "ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: {SECRETS['header']}",
    "DATABASE_URL": f"postgres://owner:{SECRETS['password']}@localhost/db",
    "DB_PASSWORD": SECRETS["database"],
    "CLAUDE_CODE_OAUTH_TOKEN": SECRETS["login"],
}


#: What is not in the caller's environment, and nobody but the CLI reads, is known by its shape alone.
BY_SHAPE = ("settings", "dotenv")


def forms(secret: str) -> Iterator[bytes]:
    """What shows a secret: it is plain, percent-encoded, in base64 at any offset, or as JSON writes it."""
    data = secret.encode()
    yield data
    yield quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].encode()
    yield json.dumps(json.dumps(secret)[1:-1])[1:-1].encode()
    for offset in range(3):
        # Without the characters at both ends, which depend on what stands beside it.
        yield base64.b64encode(b"\0" * offset + data)[4:-4]


def found_in(data: bytes) -> list[str]:
    """Which of the planted ones are in ``data``, in any form."""
    return [name for name, secret in SECRETS.items() if any(form in data for form in forms(secret))]


class Watch:
    """Reads the command lines of all processes that start, and a seat's temporary files, while commands run."""

    def __init__(self, seat: Seat) -> None:
        self.seen: set[bytes] = set()
        self._seat = seat
        self._before = {*psutil.pids()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            for pid in {*psutil.pids()} - self._before:
                with contextlib.suppress(psutil.Error):  # gone since it was listed
                    self.seen.add("\0".join(psutil.Process(pid).cmdline()).encode("utf-8", "replace"))
            for folder, _, names in os.walk(self._seat.temporary, onerror=lambda _: None):
                for name in names:
                    with contextlib.suppress(OSError):
                        self.seen.add(Path(folder, name).read_bytes())


def plant(seat: Seat) -> None:
    """Secrets everywhere around a caller."""
    seat.env |= ENVIRONMENT
    seat.env["ONESEAT_LOG"] = "debug"
    seat.env["ONESEAT_LOG_FILE"] = str(seat.root / "oneseat.log")
    (seat.cwd / ".env").write_text(f"ANTHROPIC_API_KEY={SECRETS['dotenv']}\n", "utf-8")
    for folder in (seat.cwd / ".claude", seat.home.parent / ".claude"):
        folder.mkdir(parents=True)
        settings = {"env": {"ANTHROPIC_AUTH_TOKEN": SECRETS["settings"]}}
        (folder / "settings.json").write_text(json.dumps(settings), "utf-8")


def assert_nowhere(seat: Seat, watch: Watch, *ended: Done) -> None:
    """Nothing that was planted is in what oneseat wrote or showed."""
    written = [path for path in (seat.root / "oneseat.log", *seat.home.rglob("*")) if path.is_file()]
    assert any(path.name == "runs.db" for path in written)
    places = {str(path): path.read_bytes() for path in written}
    for number, each in enumerate(ended):
        places[f"stdout {number}"] = each.stdout.encode()
        places[f"stderr {number}"] = each.stderr.encode()
    with opened_reader(Installation(seat.env)) as ledger:
        (newest, *_) = ledger.runs(RunFilter())
    places["show"] = seat.run("show", newest.id, "--events").stdout.encode()
    # The command line of the CLI itself is among them.
    assert any(b"--model" in data for data in watch.seen), watch.seen
    for number, data in enumerate(watch.seen):
        places[f"a command line or a temporary file {number}: {data[:80]!r}"] = data
    assert {place: found for place, data in places.items() if (found := found_in(data))} == {}


def everything() -> str:
    """All of it, in every form, as a careless program would print it."""
    lines = [f"{name} {secret}" for name, secret in SECRETS.items()]
    for name, secret in SECRETS.items():
        if name not in BY_SHAPE:
            lines += [f"{name} {quote(secret, safe='')}", f"{name} {json.dumps(secret)}"]
            lines += [
                f"{name} {base64.b64encode(b'x' * n + secret.encode() + b'y').decode()}" for n in range(3)
            ]
    return "\n".join(lines) + "\n"


def test_with_the_real_cli(tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    # A tool that prints the whole environment and the files beside it.
    call = ToolUse("Bash", {"command": "env; cat .env .claude/settings.json", "description": "d"})
    simulator.script("leak", [ToolRound(call=call, answer=Answer(content=(Text("done"),)))])
    seat = Seat(tmp_path, claude_path, simulator, "leak")
    plant(seat)
    with Watch(seat) as watch:
        answered = seat.run("run", "go", "--tools", "Bash", "--json")
        doctor = seat.run("doctor")
    assert answered.code == 0, answered
    assert_nowhere(seat, watch, answered, doctor)


def line(kind: str, **fields: object) -> Print:
    return Print(json.dumps({"type": kind, **fields}) + "\n")


#: What a CLI may do with what it should not have: the fake prints it in every way that a CLI can print anything, and ends.
LEAKS: dict[str, tuple[Step, ...]] = {
    "and goes on": (
        Complain(everything()),
        line("novelty", text=everything()),
        line("system", subtype="api_retry", error=everything(), attempt=1),
        Say(),
        Result(),
    ),
    "garbage": (Print(everything()), Say(), Result()),
    "garbage and crash": (Print(everything()), Complain(everything()), Exit(3)),
    "failed result": (Say(), line("result", subtype="success", is_error=True, result=everything())),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_with_a_cli_that_leaks(leak: str, tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=LEAKS[leak]))
    plant(seat)
    with Watch(seat) as watch:
        text = seat.run("run", "go")
    # The events of a stream are the CLI's words as they came; the ledger's and the errors' are not.
    assert_nowhere(seat, watch, text)


def test_with_a_cli_that_leaks_at_the_gate(tmp_path: Path) -> None:
    account = {"tokenSource": everything(), "apiProvider": SECRETS["plain"], "apiKeySource": SECRETS["key"]}
    seat, _ = fake_seat(tmp_path, Behaviour(on_initialize=(Complain(everything()), Initialized(account))))
    plant(seat)
    with Watch(seat) as watch:
        refused = seat.run("run", "go", "--json")
    assert refused.code in (3, 7)
    assert_nowhere(seat, watch, refused)


def test_a_planted_one_would_be_found() -> None:
    assert found_in(everything().encode()) == list(SECRETS)
    assert found_in(b"nothing of it") == []
