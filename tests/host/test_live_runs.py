"""Who is alive is told by a lock, and what a dead owner left is found whatever this process's environment says."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from oneseat.host.processes.registry import ProcessRegistry
from oneseat.host.processes.tree import start_time

#: Holds a run with a folder of its own and a process that has lost its marker and its parent, and says where they are.
_OWNER = """
import subprocess, sys
from pathlib import Path
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.host.processes.tree import start_time
live = ProcessRegistry(Path(sys.argv[1]))
live.hold("r1")
folder = live.new_folder("r1")
(folder / "mcp.json").write_text("secret")
other = subprocess.Popen(["sleep", "600"], env={}, start_new_session=True)
live.note_process("r1", other.pid, start_time(other.pid))
print(folder, other.pid, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def owner(live: Path, temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path, psutil.Process]]:
    """The owner, its folder and the process that it lost."""
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(live)],
        env={"TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        folder, pid = process.stdout.readline().split()
        lost = psutil.Process(int(pid))
        try:
            yield process, Path(folder), lost
        finally:
            process.kill()
            with contextlib.suppress(psutil.Error):
                lost.kill()


def test_a_dead_owner_is_known_by_its_lock_and_leaves_nothing(tmp_path: Path) -> None:
    live, elsewhere = ProcessRegistry(tmp_path / "live"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    with owner(tmp_path / "live", elsewhere) as (process, folder, lost):
        assert folder.parent == elsewhere
        assert (live.is_held("r1"), live.sweep()) == (True, [])
        assert (folder / "mcp.json").read_text() == "secret"
        process.send_signal(signal.SIGKILL)
        process.wait()
        # Looking ends nothing.
        assert not live.is_held("r1")
        assert (folder.exists(), lost.is_running()) == (True, True)
        assert live.sweep() == ["r1"]
        assert not folder.exists()
        lost.wait(5)
    assert list((tmp_path / "live").iterdir()) == []


def test_an_entry_is_there_as_long_as_it_is_held(tmp_path: Path) -> None:
    live, other = ProcessRegistry(tmp_path), ProcessRegistry(tmp_path)
    live.hold("r1")
    marker = live.new_marker()
    assert (other.is_held("r1"), other.is_held(marker), other.is_held("r2")) == (True, True, False)
    live.release("r1")
    assert not other.is_held("r1")
    live.release_all()
    assert list(tmp_path.iterdir()) == []


def test_an_entry_cannot_name_the_folder_or_the_process_of_anybody_else(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    this = psutil.Process()
    (tmp_path / "live").mkdir()
    lines = f'{{"folder":"{mine}"}}\n{{"pid":{this.pid},"started":{start_time(this.pid) - 5}}}\n{{"fol'
    (tmp_path / "live" / "r1").write_text(lines)
    assert ProcessRegistry(tmp_path / "live").sweep() == ["r1"]
    assert mine.exists()


def test_a_folder_without_an_entry_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = ProcessRegistry(tmp_path / "live").new_folder("r1")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "live").exists()
