"""The rules: ten files of data in this package, and the owner's own. Each rule has samples that it must and must not find."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

import oneseat

from .checks import CHECKS
from .report import Severity, usage_error

FOLDER = Path(__file__).with_name("rules")
Kind = Literal["text", "path", "deleted", "lost", "unignored", "no_example"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One rule. ``pattern`` is what is looked for: in new lines (``text``), in the path of a file that leaves (``path``) or is
    deleted (``deleted``), in a file that no longer holds it (``lost``), or in names of files that git does not ignore
    (``unignored``) or that have no example (``no_example``).

    ``keywords``, in small letters, are looked for first. ``paths`` and ``not_paths`` are patterns of paths, ``unless`` one of
    lines. A group ``secret`` is what is kept from the evidence. ``entropy`` is in bits per character; ``check`` is a name of
    ``checks.CHECKS``; ``at_least`` counts different matches in one file. ``whole`` looks at whole files, not only at new lines;
    ``dense`` only at lines with a word like a token or a group of digits; ``binary`` also at files that are no text; ``code``
    leaves out comments; ``real_value`` leaves out placeholders.
    """

    id: str
    severity: Severity
    why: str
    remedy: str
    pattern: str
    kind: Kind = "text"
    keywords: tuple[str, ...] = ()
    paths: str | None = None
    not_paths: str | None = None
    unless: str | None = None
    entropy: float = 0.0
    check: str | None = None
    at_least: int = 1
    whole: bool = False
    binary: bool = False
    code: bool = False
    dense: bool = False
    real_value: bool = False
    true: tuple[str, ...]
    false: tuple[str, ...]
    category: int = 0

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self.pattern, re.MULTILINE)

    @cached_property
    def _where(self) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
        wanted, left_out = (
            None if each is None else re.compile(each) for each in (self.paths, self.not_paths)
        )
        return wanted, left_out

    def applies_to(self, path: str) -> bool:
        """Whether a file of that path is looked at."""
        wanted, left_out = self._where
        return (wanted is None or wanted.search(path) is not None) and (
            left_out is None or left_out.search(path) is None
        )


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    category: int
    name: str
    rules: tuple[Rule, ...]


class RuleBook(NamedTuple):
    """Every rule in force. ``digest`` changes with any of them: what was clean by other rules is looked at again."""

    rules: tuple[Rule, ...]
    digest: bytes

    def of_kind(self, *kinds: Kind) -> tuple[Rule, ...]:
        """The rules of some kinds."""
        return tuple(rule for rule in self.rules if rule.kind in kinds)


def load_rules(own: Path | None = None, cache: Path | None = None) -> RuleBook:
    """The rules of this package, and those of the ``*.toml`` files in the folder ``own``.

    ``cache`` is a folder in which they are kept as they were read: reading them takes as long as a small scan. Raises
    ``UsageError`` ``usage.bad_guard_rule`` with file and reason: a rule that nobody reads protects nobody.
    """
    files = sorted(FOLDER.glob("*.toml"))
    files += sorted(own.glob("*.toml")) if own is not None and own.is_dir() else []
    contents = {file: _read(file) for file in files}
    # Another version may look at the same rules in another way.
    digest = hashlib.sha256(b"\0".join((oneseat.__version__.encode(), *contents.values())))
    kept = None if cache is None else cache / f"rules-{digest.hexdigest()[:16]}.json"
    rules = _cached(kept) or tuple(_parsed(contents).values())
    if {rule.category for rule in rules} < set(range(1, 11)):
        raise _bad(FOLDER, "rules of a category are missing: the installation is incomplete")
    if kept is not None and not kept.exists():
        _keep(kept, rules)
    return RuleBook(rules, digest.digest())


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _bad(file, str(error.strerror)) from None


def _cached(file: Path | None) -> tuple[Rule, ...] | None:
    try:
        return None if file is None else msgspec.json.decode(file.read_bytes(), type=tuple[Rule, ...])
    except (OSError, msgspec.MsgspecError):
        return None


def _keep(file: Path, rules: tuple[Rule, ...]) -> None:
    part = file.with_suffix(f".{os.getpid()}")
    try:
        for old in file.parent.glob("rules-*.json"):
            old.unlink(missing_ok=True)
        part.write_bytes(msgspec.json.encode(rules))
        part.replace(file)
    except OSError:
        return  # they are read again next time


def _parsed(contents: Mapping[Path, bytes]) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for file, data in contents.items():
        try:
            found = msgspec.convert(tomllib.loads(data.decode("utf-8")), _File)
        except ValueError as error:  # also what is no TOML, no UTF-8, or has another field
            raise _bad(file, str(error)) from error
        for rule in found.rules:
            _check(file, rule, found.category, rules)
            rules[rule.id] = msgspec.structs.replace(rule, category=found.category)
    return rules


def _check(file: Path, rule: Rule, category: int, others: dict[str, Rule]) -> None:
    if rule.id in others:
        raise _bad(file, f"two rules are called `{rule.id}`")
    if not 1 <= category <= 10:
        raise _bad(file, f"no such category: {category}; they are 1 to 10")
    if rule.check is not None and rule.check not in CHECKS:
        raise _bad(file, f"rule `{rule.id}`: no such check: `{rule.check}`")
    if file.parent == FOLDER:
        return  # its tests compile them; here it would take a third of the time of a scan
    for pattern in (rule.pattern, rule.paths, rule.not_paths, rule.unless):
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise _bad(file, f"rule `{rule.id}`: not a regular expression: {error}") from None


def _bad(file: Path, why: str) -> Exception:
    return usage_error(
        "usage.bad_guard_rule",
        f"A file of rules cannot be used: `{file}`\n  {why}",
        "Correct the file, or move it away",
    )
