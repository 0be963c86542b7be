"""The setup of every test: a scratch home, a clean environment, and no access to other machines."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from oneseat.testing import Simulator

#: The only variables of the caller that a test may see. Everything else (keys, logins, settings, proxies) is removed.
KEPT_VARIABLES = frozenset(
    # Python sets LC_CTYPE for itself and its children if no locale is set.
    {"LANG", "LC_ALL", "LC_CTYPE", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "VIRTUAL_ENV"}
)
KEPT_PREFIX = "PYTEST_"
# The caller may ignore these signals (nohup, a background job), and every child process would inherit that.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The duration of an example depends on the machine's load, so it must not fail a test.
hypothesis_settings.register_profile("oneseat", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("oneseat")

#: Folders and files whose tests start whole programs and servers, and the fixtures of official CLIs: not in the fast tier.
WHOLE_PROGRAMS = (
    "compat/",
    "chaos/",
    "docs/test_commands.py/",
    "docs/test_reference.py/",
    "e2e/",
    "stores/test_processes.py/",
    "testing/",
)
OFFICIAL_CLIS = frozenset({"claude", "claude_path", "codex_path", "old_claude_path"})
CLAUDE_PATH = os.environ.get("ONESEAT_CLAUDE_PATH")
CODEX_PATH = os.environ.get("ONESEAT_TEST_CODEX")


class LeftTheMachineError(BaseException):
    """Raised when a test would reach another machine. Not an ``Exception``, so that no handler in the product catches it."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine. Names are trusted only if they need no look-up."""
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guard(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook that refuses connections and look-ups to other machines, from any library."""
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # other addresses are unix sockets
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = args[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if isinstance(host, str) and not is_loopback(host):
        raise LeftTheMachineError(f"a test tried to reach `{host}`")


sys.addaudithook(guard)


def of_whole_programs(path: Path) -> bool:
    """Whether a file or folder holds only tests that start whole programs."""
    place = path.relative_to(Path(__file__).parent).as_posix()
    return f"{place}/".startswith(WHOLE_PROGRAMS)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not load the files that the fast tier excludes: loading them takes a third of its time."""
    return (config.option.markexpr == "fast" and of_whole_programs(collection_path)) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the fast tier, so that a new test is in the right tier without a marker of its own."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if not of_whole_programs(item.path) and OFFICIAL_CLIS.isdisjoint(fixtures):
            item.add_marker(pytest.mark.fast)


@pytest.fixture(autouse=True)
def scratch_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and an environment without the caller's variables; returns the home."""
    for name in os.environ:
        if name not in KEPT_VARIABLES and not name.startswith(KEPT_PREFIX):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ONESEAT_HOME", str(home / "oneseat"))
    return home


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A separate simulator for each test."""
    with Simulator() as running:
        yield running


@pytest.fixture(scope="session")
def claude_path() -> Path:
    """The official CLI in the newest version that this project is tested with."""
    if CLAUDE_PATH is None:
        pytest.fail("ONESEAT_CLAUDE_PATH is not set; run the tests with `make test`")
    return Path(CLAUDE_PATH)


@pytest.fixture(scope="session")
def codex_path() -> Path:
    """The official `codex` CLI in the version that this project is tested with."""
    if CODEX_PATH is None:
        pytest.fail("ONESEAT_TEST_CODEX is not set; run the tests with `make test`")
    return Path(CODEX_PATH)


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder of an ordinary user, as whom the test runs: permissions do not apply to the superuser."""
    folder = Path(tempfile.mkdtemp())
    superuser = os.geteuid() == 0
    if superuser:
        os.chown(folder, 65534, 65534)
        os.setresuid(65534, 65534, 0)
    yield folder
    if superuser:
        os.setresuid(0, 0, 0)
    folder.chmod(0o700)
    shutil.rmtree(folder)
