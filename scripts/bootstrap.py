"""Set up a checkout: virtual environment, locked dependencies, private copies of the official CLIs.

    python3 -m scripts.bootstrap [check|fast|demo|test|bench|lock] [environment]

Runs on the machine's Python without packages, so it uses the standard library only. Every step is done once
and recorded by a stamp. Everything stays inside the checkout: in ``.venv``, or the named environment, and
``.tools``. Nothing global is installed or changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
#: Both ends of the range of CLIs the project is tested with; ``scripts/claude-cli`` holds a lock for each.
NEWEST_CLI, OLDEST_CLI = "2.1.332", "2.1.329"
NAME_A_CLI = f"Name a CLI from {OLDEST_CLI} to {NEWEST_CLI}: export ONESEAT_CLAUDE_PATH=/path/to/claude"
#: The version of the official `codex` CLI that the project is tested with; ``scripts/codex-cli`` holds its lock.
CODEX_CLI = "0.171.0"
STAMP = "oneseat-setup.json"
#: The targets that start no official CLI, and so need no npm.
NEED_NO_CLI = frozenset({"check", "fast"})
OLDEST_PYTHON = (3, 11)
#: The minor versions of Python 3 to look for, the newest last.
PYTHONS = range(OLDEST_PYTHON[1], 15)


class SetupError(Exception):
    """Raised when a step fails: what failed, why, and how to fix it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def say(text: str) -> None:
    """Print a progress line to stderr: stdout is for the command that follows."""
    sys.stderr.write(f"setup: {text}\n")


def run(command: list[str], env: dict[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Run one step to its end. Raises ``SetupError`` with the end of the step's output when it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        # The step inherits the set-up lock: if this process is killed, the next waits for the step to end.
        close_fds=False,
        check=False,
    )
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-12:]
        shown = shlex.join(command[:6]) + (" ..." if len(command) > 6 else "")
        raise SetupError(
            f"A set-up step ended with exit code {done.returncode}: `{shown}`\n"
            + "\n".join(f"  {line}" for line in words),
            "Read its last words above, then run the same command again; finished steps are kept",
        )


def find_python(minor: int) -> str | None:
    """A working Python 3.``minor``: the first on PATH, or one that pyenv has installed but not selected."""
    name = f"python3.{minor}"
    for folder in map(Path, os.get_exec_path()):
        # pyenv puts a shim on PATH for each installed version; the shim of a version that is not selected exits with 127.
        unselected = folder.parent.glob(f"versions/3.{minor}.*/bin/{name}") if folder.name == "shims" else ()
        for candidate in (folder / name, *sorted(unselected)):
            if started := executable_of(candidate, minor):
                return started
    return None


def executable_of(candidate: Path, minor: int) -> str | None:
    """The real executable of a Python, past any shim; ``None`` when it is not a working Python 3.``minor``."""
    code = "import sys; print(*sys.version_info[:2], sys.executable)"
    try:
        done = subprocess.run(
            [str(candidate), "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    major, _, rest = done.stdout.strip().partition(" ")
    found, _, program = rest.partition(" ")
    return program if done.returncode == 0 and (major, found) == ("3", str(minor)) else None


def supported_python() -> None:
    """Continue on a supported Python, re-executing with a newer one when this one is too old."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return
    for minor in reversed(PYTHONS):
        newer = find_python(minor)
        if newer:
            os.execv(newer, [newer, "-m", "scripts.bootstrap", *sys.argv[1:]])
    found = ".".join(map(str, sys.version_info[:3]))
    raise SetupError(
        f"Python 3.11 or newer is needed, found {found}: `{sys.executable}`",
        "Install a newer Python, then name it: make PYTHON=/path/to/python3.11 demo",
    )


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the set-up lock, which prevents two `make` processes from installing into the same folder.

    The system releases it when this process and the steps it started have ended, even if they were killed.
    """
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / ".lock").open("w") as lock:
        fcntl.fcntl(lock, fcntl.F_SETFD, 0)  # without FD_CLOEXEC the steps inherit it, see run()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is running in this checkout; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in TOOLS.glob(".new-*"):
            shutil.rmtree(left)
        yield


# --- the virtual environment --------------------------------------------------------------------------------


def digest(*parts: bytes) -> str:
    """A short hash of everything that a stamped step depends on."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:20]


def wanted(venv: Path, requirements: Path) -> dict[str, str]:
    """The stamp of an up-to-date environment."""
    import tomllib  # noqa: PLC0415 - absent before Python 3.11, where the words of supported_python() must still be reached

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    built_from = {key: project.get(key) for key in ("build-system", "project")}
    built_from["hatch"] = project["tool"]["hatch"]
    version = re.findall(r"(?m)^__version__ = .*$", (ROOT / "src/oneseat/version.py").read_text("utf-8"))
    python = venv / "bin" / "python"
    return {
        # An environment of a different Python, or of one that was removed, must be rebuilt.
        "python": os.path.realpath(sys.executable) if python.exists() else "",
        # The scripts of an environment contain its path, so a moved checkout needs a new one.
        "packages": digest(requirements.read_bytes(), str(venv).encode()),
        "project": digest(json.dumps([built_from, version], sort_keys=True).encode()),
    }


def stamp_of(venv: Path) -> dict[str, str]:
    """The stamp of the environment's last set-up; empty if there was none or it did not finish."""
    try:
        stamp = json.loads((venv / STAMP).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def pip_environment() -> dict[str, str]:
    """The caller's environment with its index settings, without variables that would change where packages are installed."""
    elsewhere = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PYTHONPATH", "PYTHONHOME"}
    return {name: value for name, value in os.environ.items() if name not in elsewhere}


def create_venv(venv: Path) -> list[str]:
    """Create an empty environment and return the command that installs into it.

    Raises ``SetupError`` when no pip is available.
    """
    own_pip = importlib.util.find_spec("ensurepip") is not None
    if not own_pip and importlib.util.find_spec("pip") is None:
        raise SetupError(
            f"This Python can neither give a virtual environment a pip nor lend its own: `{sys.executable}`\n"
            "  it has no `ensurepip` and no `pip` module; Debian and Ubuntu ship them as separate packages",
            "sudo apt install python3-venv",
        )
    say(f"creating {venv.relative_to(ROOT)} with Python {'.'.join(map(str, sys.version_info[:3]))}")
    run(
        [sys.executable, "-m", "venv", "--clear", *([] if own_pip else ["--without-pip"]), str(venv)],
        pip_environment(),
    )
    return pip_command(venv)


def pip_command(venv: Path) -> list[str]:
    """The command that installs into an environment."""
    python = str(venv / "bin" / "python")
    if list(venv.glob("lib/python3*/site-packages/pip")):
        start = [python, "-m", "pip"]
    else:
        start = [sys.executable, "-m", "pip", "--python", python]
    return [*start, "install", "--quiet", "--no-input", "--disable-pip-version-check"]


def ensure_venv(venv: Path, requirements: str, *, with_project: bool = True) -> None:
    """Update an environment to its lock and the project; a changed lock rebuilds it."""
    lock = ROOT / requirements
    goal, have = wanted(venv, lock), stamp_of(venv)
    if have == goal:
        return
    with only_one():
        goal, have = wanted(venv, lock), stamp_of(venv)
        if have == goal:
            return
        pip = pip_command(venv)
        (venv / STAMP).unlink(missing_ok=True)
        if {**have, "project": ""} != {**goal, "project": ""}:
            pip = create_venv(venv)
            say(f"installing {requirements}")
            # --no-deps: the lock is complete. --only-binary: a build would run code that is not covered by a hash.
            locked = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(lock)]
            run([*pip, *locked], pip_environment())
        if with_project:
            say("installing oneseat itself, editable")
            run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], pip_environment())
        write_whole(venv / STAMP, json.dumps(wanted(venv, lock)))


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically."""
    staged = path.with_name(f"{path.name}.{os.getpid()}")
    staged.write_text(text, "utf-8")
    staged.replace(path)


# --- the official CLI ---------------------------------------------------------------------------------------


class Program(NamedTuple):
    """An official CLI: its name, the path of the program in its package, the format of its version, and its size on disk."""

    name: str
    places: tuple[str, ...]
    printed: re.Pattern[bytes]
    size_mb: int
    hint: str


CLAUDE = Program(
    "claude",
    ("@anthropic-ai/claude-code-*/claude*", "@anthropic-ai/claude-code/bin/claude*"),
    re.compile(rb"(\d+\.\d+\.\d+) \(Claude Code\)"),
    375,
    NAME_A_CLI,
)
CODEX = Program(
    "codex",
    ("@openai/codex-*/vendor/*/bin/codex*",),
    re.compile(rb"codex-cli (\d+\.\d+\.\d+)\s*$"),
    405,
    f"Name a codex CLI {CODEX_CLI}: export ONESEAT_TEST_CODEX=/path/to/codex",
)


def cli_version(binary: str, program: Program = CLAUDE) -> str | None:
    """The version an official CLI prints; ``None`` when it does not run or prints something else."""
    with tempfile.TemporaryDirectory() as home:
        quiet = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
        env = {"HOME": home, "PATH": os.environ.get("PATH", os.defpath), **quiet}
        try:
            done = subprocess.run(
                [binary, "--version"],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    found = program.printed.match(done.stdout)
    return found[1].decode() if found else None


def in_tested_range(version: str | None) -> bool:
    """Whether the project is tested with this version of the CLI."""
    if version is None:
        return False
    oldest, here, newest = (tuple(map(int, text.split("."))) for text in (OLDEST_CLI, version, NEWEST_CLI))
    return oldest <= here <= newest


def native_binary(folder: Path, version: str, program: Program = CLAUDE) -> Path:
    """The native program in an installed package.

    The package's start file is created by its install script, which npm may be configured not to run; the
    platform package always contains the program. Raises ``SetupError`` when none prints the wanted version.
    """
    packages = folder / "node_modules"
    candidates = [path for place in program.places for path in sorted(packages.glob(place))]
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and cli_version(str(candidate), program) == version:
            return candidate
    tried = ", ".join(str(path.relative_to(folder)) for path in candidates) or "no program was installed"
    raise SetupError(
        f"The installed `{program.name}` CLI does not start or is not version {version}\n  tried: {tried}",
        program.hint,
    )


def ensure_private_cli(version: str, program: Program = CLAUDE) -> Path:
    """A copy of an official CLI for this checkout only, installed from its lock on first use."""
    home = TOOLS / f"{program.name}-{version}"
    link = home / program.name
    if link.exists():
        return link.resolve()
    with only_one():
        if link.exists():
            return link.resolve()
        if shutil.which("npm") is None:
            raise SetupError(
                f"npm was not found in PATH; it fetches the official `{program.name}` CLI",
                program.hint,
            )
        say(
            f"installing a private copy of the official {program.name} CLI {version} (about {program.size_mb} MB on disk)"
        )
        staged = npm_install(ROOT / "scripts" / f"{program.name}-cli" / version)
        binary = native_binary(staged, version, program)
        (staged / program.name).symlink_to(binary.relative_to(staged))
        staged.rename(home)
    return link.resolve()


def npm_install(lock: Path, step: str = "ci") -> Path:
    """Install the packages locked in the folder ``lock`` into a new tools folder, to be renamed when it is complete."""
    staged = Path(tempfile.mkdtemp(prefix=".new-", dir=TOOLS))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(lock / name, staged)
    # --global=false: an npm that runs make may pass on the opposite. The prefix is not changed, because
    # # npm finds the machine's settings (registry, certificates) through it.
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    run(["npm", step, "--ignore-scripts", "--engine-strict=false", "--global=false", *quiet], cwd=staged)
    return staged


def ensure_ccusage() -> Path:
    """The usage tool that ours is compared with, installed from its lock on first use."""
    lock = ROOT / "scripts" / "peers" / "ccusage"
    home = TOOLS / f"ccusage-{digest((lock / 'package-lock.json').read_bytes())}"
    program = home / "node_modules" / ".bin" / "ccusage"
    with only_one():
        if not program.exists():
            if shutil.which("npm") is None:
                raise SetupError(
                    "npm was not found in PATH; it fetches `ccusage`", "Install Node.js with npm"
                )
            say("installing ccusage, to measure beside (5 MB)")
            # `ci` requires every platform in the lock, but this version was not published for all. `install` checks hashes too.
            npm_install(lock, "install").rename(home)
    return program


def choose_cli(*, any_tested: bool) -> Path:
    """The CLI to use: the one the caller names, else a suitable one on PATH, else a private copy.

    ``any_tested`` accepts every version of the tested range; otherwise only the newest one, so that all
    machines test the same version.
    """
    named = os.environ.get("ONESEAT_CLAUDE_PATH")
    if named:
        if cli_version(named) is None:
            raise SetupError(
                f"ONESEAT_CLAUDE_PATH does not name a working `claude` CLI: `{named}`",
                "unset ONESEAT_CLAUDE_PATH",
            )
        return Path(named).absolute()
    found = shutil.which("claude")
    version = cli_version(found) if found else None
    if found and (version == NEWEST_CLI or (any_tested and in_tested_range(version))):
        return Path(found).absolute()
    return ensure_private_cli(NEWEST_CLI)


def choose_codex() -> Path:
    """The `codex` CLI of the tests: the one the caller names, else a private copy."""
    named = os.environ.get("ONESEAT_TEST_CODEX")
    if not named:
        return ensure_private_cli(CODEX_CLI, CODEX)
    if cli_version(named, CODEX) != CODEX_CLI:
        raise SetupError(
            f"ONESEAT_TEST_CODEX does not name a `codex` CLI {CODEX_CLI}: `{named}`",
            "unset ONESEAT_TEST_CODEX",
        )
    return Path(named).absolute()


def ensure_cli(target: str) -> None:
    """Find or install the CLIs that a target needs and write their paths to the file that the Makefile reads."""
    names = {"ONESEAT_CLAUDE_PATH": choose_cli(any_tested=target == "demo")}
    if target != "demo":
        names["ONESEAT_TEST_OLD_CLAUDE"] = ensure_private_cli(OLDEST_CLI)
        names["ONESEAT_TEST_CODEX"] = choose_codex()
    if target == "bench":
        names["BENCH_CCUSAGE"] = ensure_ccusage()
    lines = [f"export {name}={shlex.quote(str(path))}\n" for name, path in names.items()]
    TOOLS.mkdir(exist_ok=True)
    write_whole(TOOLS / f"{target}.env", "".join(lines))


def main(target: str, venv: Path = VENV) -> None:
    """Set up everything that one Makefile target needs."""
    supported_python()
    if target == "lock":
        ensure_venv(TOOLS / "lock-venv", "requirements-lock.txt", with_project=False)
        return
    if target == "bench":
        ensure_venv(TOOLS / "bench-venv", "requirements-bench.txt")
    else:
        ensure_venv(venv, "requirements-dev.txt")
    if target not in NEED_NO_CLI:
        ensure_cli(target)


def fail(error: SetupError) -> NoReturn:
    """Exit with the error in the project's common format."""
    sys.stderr.write(f"error: {error}\n\nhint: {error.hint}\n")
    raise SystemExit(1)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "check", ROOT / sys.argv[2] if len(sys.argv) > 2 else VENV)
    except SetupError as error:
        fail(error)
    except KeyboardInterrupt:
        sys.stderr.write("\nsetup: interrupted; run the same command again, finished steps are kept\n")
        raise SystemExit(130) from None
