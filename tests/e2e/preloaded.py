"""Starts ``oneseat`` in a process of its own without loading Python and all modules anew for each command.

Four fifths of what a short command costs is that loading. Here one process has done it, and forks for each command: arguments,
environment, directory, standard streams, signals and exit code are the command's own, as ever. That the installed program finds
its modules by itself is proven by ``Seat.start``, by the terminal, and by every command that a page shows.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from select import select
from typing import IO, NamedTuple

#: What the interpreter reads before the program begins: a command with other values of these needs an interpreter of its own.
_READ_AT_START = ("LANG", "LC_", "LD_", "PYTHON")
#: What begins with the same word, and can be had later as well: where to look for modules, and a library's own setting.
_LATER = {"PYTHONPATH", "PYTHON_KEYRING_BACKEND"}
_LENGTH = struct.Struct("!Q")
_NUMBER = struct.Struct("!q")


class Preloaded:
    """The process that has everything loaded, ``more`` modules too. It ends with this one."""

    def __init__(self, *more: str) -> None:
        self._lock = threading.Lock()
        self._start = read_at_start(os.environ)
        self._control, theirs = socket.socketpair()
        with theirs:
            # Nothing of a test in its environment: a test that looks for processes of its own must not find this one.
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *more],
                env={**self._start, "PATH": os.environ["PATH"]},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        self._process.wait()
        atexit.register(self.close)

    def close(self) -> None:
        """End it, and wait until it has."""
        self._control.close()
        self._process.communicate()

    def serves(self, env: Mapping[str, str]) -> bool:
        """Whether a command with this environment is the same in an interpreter that has begun already."""
        return read_at_start(env) == self._start

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: bytes | None,
        stdout: IO[bytes] | int,
        timeout_s: float,
    ) -> tuple[int, bytes, bytes]:
        """Exit code, stdout and stderr of a command; no stdout where ``stdout`` is a file.

        Raises ``subprocess.TimeoutExpired`` after ``timeout_s`` seconds, when the command has been killed.
        """
        report, theirs = socket.socketpair()
        streams = [_Sent(stdin), _Read(stdout), _Read(subprocess.PIPE)]
        with report, theirs:
            body = json.dumps({"argv": [*argv], "env": {**env}, "cwd": str(cwd)}).encode()
            descriptors = [*(stream.theirs for stream in streams), theirs.fileno()]
            with self._lock:  # tests run commands side by side
                socket.send_fds(self._control, [_LENGTH.pack(len(body))], descriptors)
                self._control.sendall(body)
            theirs.close()
            for stream in streams:
                stream.begin()
            until = time.monotonic() + timeout_s
            report.settimeout(timeout_s)
            (pid,) = _NUMBER.unpack(_exactly(report, _NUMBER.size))
            try:
                (code,) = _NUMBER.unpack(_exactly(report, _NUMBER.size))
            except TimeoutError as error:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*argv], timeout_s) from error
        if not all(stream.finished(until - time.monotonic()) for stream in streams):
            # The command has ended, and something it started still holds a stream.
            raise subprocess.TimeoutExpired([*argv], timeout_s)
        return code, streams[1].data, streams[2].data


class _Stream:
    """One standard stream: the command's end, and a thread that serves ours."""

    def __init__(self, theirs: int, ours: int | None) -> None:
        self.theirs = theirs
        self._ours = ours
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.data = b""

    def begin(self) -> None:
        os.close(self.theirs)
        if self._ours is not None:
            self._thread.start()

    def finished(self, timeout_s: float) -> bool:
        """Wait until the other end is closed; whether it was in time."""
        if self._ours is not None:
            self._thread.join(max(timeout_s, 0))
        return not self._thread.is_alive()

    def _serve(self) -> None:
        raise NotImplementedError


class _Sent(_Stream):
    """Standard input: what is given, or ``/dev/null``."""

    def __init__(self, given: bytes | None) -> None:
        if given is None:
            super().__init__(os.open(os.devnull, os.O_RDONLY), None)
        else:
            super().__init__(*os.pipe())
            self.data = given

    def _serve(self) -> None:
        assert self._ours is not None
        with os.fdopen(self._ours, "wb", buffering=0) as pipe:
            rest = memoryview(self.data)
            while rest:
                try:
                    rest = rest[pipe.write(rest) :]
                except BrokenPipeError:  # not every command reads what it is given
                    return


class _Read(_Stream):
    """An output: a pipe that is read to its end, or a file."""

    def __init__(self, place: IO[bytes] | int) -> None:
        if place == subprocess.PIPE:
            ours, theirs = os.pipe()
            super().__init__(theirs, ours)
        else:
            super().__init__(os.dup(place if isinstance(place, int) else place.fileno()), None)

    def _serve(self) -> None:
        assert self._ours is not None
        with os.fdopen(self._ours, "rb") as pipe:
            self.data = pipe.read()


def read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that the interpreter reads itself."""
    return {
        name: value for name, value in env.items() if name.startswith(_READ_AT_START) and name not in _LATER
    }


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("the process that starts commands has ended")
        data += piece
    return data


class _Command(NamedTuple):
    """What one fork is to be."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    streams: list[int]


class _Forks:
    """The commands that go on, each with the place where its end is waited for."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._woken, self._wake = socket.socketpair()
        self._reports: dict[int, int] = {}
        for end in (self._woken, self._wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a signal that is ignored would wake nobody
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)

    def serve(self) -> _Command | None:
        """Fork for each command that is asked for. Returns the command in its fork, and None when the tests have ended."""
        while True:
            ready, _, _ = select([self._control, self._woken], [], [])
            if self._woken in ready:
                self._collect()
            if self._control in ready:
                head, descriptors, _, _ = socket.recv_fds(self._control, _LENGTH.size, 4)
                if not head:
                    return None
                asked = json.loads(_exactly(self._control, *_LENGTH.unpack(head)))
                *streams, report = descriptors
                if self._fork(streams, report) == 0:
                    return _Command(**asked, streams=streams)

    def _fork(self, streams: list[int], report: int) -> int:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for end in (self._control, self._woken, self._wake):
                end.close()
            for descriptor in (report, *self._reports.values()):
                os.close(descriptor)
        else:
            for descriptor in streams:
                os.close(descriptor)
            self._reports[pid] = report
            os.write(report, _NUMBER.pack(pid))
        return pid

    def _collect(self) -> None:
        self._woken.recv(4096)
        for pid in [*self._reports]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                _tell(self._reports.pop(pid), os.waitstatus_to_exitcode(status))


def _tell(report: int, code: int) -> None:
    try:
        os.write(report, _NUMBER.pack(code))
    except BrokenPipeError:  # nobody waits any more
        pass
    finally:
        os.close(report)


def _become(command: _Command) -> None:
    """Let this process be as if it had been started as the command."""
    for number, descriptor in enumerate(command.streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(command.cwd)
    os.environ.clear()
    os.environ.update(command.env)
    sys.path[1:1] = filter(None, command.env.get("PYTHONPATH", "").split(os.pathsep))
    time.tzset()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = command.argv


def _main() -> None:
    sys.path[0] = str(Path(sys.executable).parent)
    if os.fork():
        os._exit(0)  # tests count their children: this one is to be nobody's
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests to end by
    package = importlib.import_module("oneseat.cli")
    for module in pkgutil.walk_packages(package.__path__, "oneseat.cli."):
        importlib.import_module(module.name)
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.freeze()  # otherwise each fork would copy what a collection touches
    command = _Forks(control).serve()
    if command is not None:
        _become(command)
        importlib.import_module("oneseat.__main__").main()


if __name__ == "__main__":
    _main()
