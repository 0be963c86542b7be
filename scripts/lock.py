"""Renew every lock from pyproject.toml and scripts/claude-cli, and the price table. Run by `make lock`; needs uv.

No lock contains a URL: an installation uses the package index that its own machine is configured for. Releases
younger than a week are excluded, because most malicious releases are found and withdrawn within days.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import prices

ROOT = Path(__file__).resolve().parent.parent
#: The contents of each lock. The run-time packages are the same in all that contain them.
LOCKS = {
    "requirements.txt": ["pyproject.toml", "--extra", "serve"],
    "requirements-dev.txt": ["pyproject.toml", "--group", "dev", "--constraint", "requirements.txt"],
    "requirements-bench.txt": ["pyproject.toml", "--group", "bench", "--constraint", "requirements.txt"],
    "requirements-lock.txt": ["--group", "lock"],
}
#: Pinned by hand to the release in our benchmarks, which was a day old at the time.
AGE = ["--exclude-newer", "7 days", "--exclude-newer-package", "claude-agent-sdk=2026-12-01"]
SHAPE = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header"]


def lock_python(name: str, what: list[str]) -> None:
    """Resolve one set of Python packages and write it with the hashes of the files for all platforms."""
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "compile", *what, *SHAPE, *AGE, "--system-certs", "--quiet", "--output-file", name]
    # Further arguments go to uv: without `--upgrade`, only pins that pyproject.toml no longer allows change.
    subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, check=True)


def lock_npm(folder: Path) -> None:
    """Resolve the npm packages of one folder for all platforms, in a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(folder / "package.json", scratch)
        lock_only = [
            "--package-lock-only",
            "--omit-lockfile-registry-resolved",
            "--ignore-scripts",
            "--global=false",
        ]
        subprocess.run(["npm", "install", *lock_only, "--no-audit", "--no-fund"], cwd=scratch, check=True)
        written = json.loads((Path(scratch) / "package-lock.json").read_text("utf-8"))
    for package in written["packages"].values():
        package.pop("funding", None)  # contains a URL, which no lock may
    (folder / "package-lock.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")


def main() -> None:
    """Renew all locks and the price table."""
    for name, what in LOCKS.items():
        lock_python(name, what)
    for folder in sorted(path.parent for path in ROOT.glob("scripts/*/*/package.json")):
        lock_npm(folder)
    prices.main()


if __name__ == "__main__":
    main()
