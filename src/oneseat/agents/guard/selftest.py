"""Shows that the guard works where it is: every rule finds its own samples, and a push with a made-up secret is stopped."""

from __future__ import annotations

import random
import re
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from .matching import Index, hits_in, time_boxed
from .report import usage_error
from .rules import Rule, RuleBook

#: A secret of nobody, which a scan must find before it may say that it found nothing.
CANARY = "sk-ant-oat01-" + "Canary0f0neseat1" * 2
_LIMIT_S = 60
#: Samples are made up when they are used: a scanner that looks at this package finds no token in it.
_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "letter": string.ascii_lowercase,
    "digit": string.digits,
    "hex": "0123456789abcdef",
    "b64": string.ascii_letters + string.digits + "+/",
}
_MADE_UP = re.compile(rf"\{{({'|'.join(_ALPHABETS)}):(\d+)\}}")
#: A sample may say in which file it stands: `path :: text`.
_IN_FILE = re.compile(r"(?s)(\S+) :: (.*)")


def samples(rule: Rule, *, true: bool) -> Iterator[tuple[str, str]]:
    """The samples of a rule as path and text, with what is made up filled in; the same at every call."""
    for sample in rule.true if true else rule.false:
        chance = random.Random(sample)  # noqa: S311 - samples, and the same ones every time
        text = _MADE_UP.sub(lambda found: _made_up(chance, found[1], int(found[2])), sample)  # noqa: B023 - used at once
        named = _IN_FILE.fullmatch(text)
        yield (named[1], named[2]) if named else ("sample.txt", text)


def _made_up(chance: random.Random, alphabet: str, length: int) -> str:
    return "".join(chance.choice(_ALPHABETS[alphabet]) for _ in range(length))


def finds(rule: Rule, path: str, text: str) -> bool:
    """Whether a rule finds something in a sample: a text, or the name of a file for a rule of names."""
    if rule.kind == "text":
        return bool(hits_in(path, text, (), Index([rule])))
    if rule.kind == "lost":
        return bool(hits_in(path, "", [text], Index([rule])))
    return rule.applies_to(text) and rule.regex.search(text) is not None


def try_rules(book: RuleBook) -> None:
    """Look for every sample of every rule. Raises ``UsageError`` ``usage.guard_self_test`` at the first one that is wrong."""
    with time_boxed():
        for rule in book.rules:
            for true in (True, False):
                for path, text in samples(rule, true=true):
                    if finds(rule, path, text) is not true:
                        raise failed(f"{rule.id}: {'missed' if true else 'found'} `{text[:60]}`")


def try_hook(env: Mapping[str, str]) -> None:
    """Do what the hook does in a repository made for it: a push without a secret has to pass, one with it has to stop.

    Raises ``UsageError`` ``usage.guard_self_test``.
    """
    # A hook is told of its repository by variables, which are not of this one.
    kept = {name: value for name, value in env.items() if not name.startswith("GIT_")}
    with tempfile.TemporaryDirectory(prefix="oneseat-guard-") as folder:
        place = Path(folder)
        _run(place, kept, "git", "init", "--quiet")
        for text, wanted in (("nothing", 0), (CANARY, 9)):
            (place / "settings.txt").write_text(f"{text}\n", "utf-8")
            _run(place, kept, "git", "add", ".")
            tree = _run(place, kept, "git", "write-tree").stdout.strip()
            lines = f"refs/tags/canary {tree} refs/tags/canary {'0' * len(tree)}\n"
            guard = (
                sys.executable,
                "-m",
                "oneseat",
                "guard",
                "scan",
                "--no-model",
                "--pre-push",
                "canary",
                folder,
            )
            done = _run(place, kept, *guard, stdin=lines, wanted=wanted)
            if wanted and CANARY in done.stdout + done.stderr:
                raise failed("the secret is printed")


def _run(
    place: Path, env: Mapping[str, str], *argv: str, stdin: str = "", wanted: int = 0
) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            argv,
            cwd=place,
            env=env,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise failed(str(error)) from None
    if done.returncode != wanted:
        raise failed(
            f"`{argv[0]}` ended with {done.returncode} instead of {wanted}\n  {done.stderr.strip()[-300:]}"
        )
    return done


def failed(why: str) -> Exception:
    """The error of a guard that does not do what it is for."""
    return usage_error(
        "usage.guard_self_test",
        f"The guard does not find what it has to find, so it protects nothing: `{why}`",
        "Install oneseat again; if you have rules of your own, look at them",
    )
