"""What a tool leaves behind on a server, without marker and parent, ends with its run, or at the next start."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from oneseat.testing import Behaviour, write_fake_cli
from oneseat.testing.fake_cli import Replay, Result, Say
from tests.e2e.driving import KILL_AFTER_S, Seat
from tests.e2e.serving import serving


class Orphaned:
    """A seat whose CLI loses a process with each run: its pid is in the file ``named``; ``gate`` lets the run end."""

    def __init__(self, root: Path) -> None:
        self.gate, self.named = root / "gate", root / "named"
        os.mkfifo(self.gate)
        os.mkfifo(self.named)
        fake = write_fake_cli(root / "fake", Behaviour(on_user=(Say(), Replay(str(self.gate)), Result())))
        lost = f"(env -i setsid sh -c 'echo $$ > {self.named}; exec sleep 600' &)"
        wrapper = root / "claude"
        wrapper.write_text(f'#!/bin/sh\n[ "$1" = --version ] || {lost}\nexec {fake.path} "$@"\n')
        wrapper.chmod(0o700)
        self.seat = Seat(root, wrapper)
        config = self.seat.home / "config"
        config.mkdir(parents=True)
        (config / "oneseat.toml").write_text("[pool]\nsize = 0\n", "utf-8")
        self.lost: list[psutil.Process] = []

    def next_lost(self) -> psutil.Process:
        self.lost.append(psutil.Process(int(self.named.read_text())))
        return self.lost[-1]

    def wait_until_noted(self, lost: psutil.Process) -> None:
        """Wait until the server has written down that it has seen the process. Fails when it does not."""
        entries, until = self.seat.home / "data" / "live", time.monotonic() + KILL_AFTER_S
        while not any(f'"pid":{lost.pid}' in path.read_text("utf-8") for path in entries.iterdir()):
            assert time.monotonic() < until


@pytest.fixture
def orphaned(tmp_path: Path) -> Iterator[Orphaned]:
    made = Orphaned(tmp_path)
    yield made
    for process in made.lost:
        with contextlib.suppress(psutil.Error):
            process.kill()


def test_an_orphan_on_a_server_ends_with_its_run(orphaned: Orphaned) -> None:
    with serving(orphaned.seat):
        with orphaned.seat.start("run", "--stream-json", "hello") as client:
            lost = orphaned.next_lost()
            client.read_until("ok from the fake")
            assert lost.is_running()
            orphaned.gate.write_bytes(b"")
            assert client.finish().code == 0
        assert psutil.wait_procs([lost], timeout=5)[1] == []
        assert orphaned.seat.run("status", "--json").result["server"] is not None


def test_an_orphan_of_a_killed_server_ends_at_the_next_start(orphaned: Orphaned) -> None:
    with orphaned.seat.start("serve") as server:
        server.read_until("stop with Ctrl-C\n")
        with orphaned.seat.start("run", "--stream-json", "hello") as client:
            lost = orphaned.next_lost()
            client.read_until("ok from the fake")
            orphaned.wait_until_noted(lost)
            client.signal(signal.SIGKILL)
            server.signal(signal.SIGKILL)
            client.finish()
            server.finish()
    assert lost.is_running()
    assert orphaned.seat.run("sessions", "end", "nobody").code == 0
    assert psutil.wait_procs([lost], timeout=5)[1] == []
    assert list((orphaned.seat.home / "data" / "live").iterdir()) == []
