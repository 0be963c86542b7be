"""Matches rules against one file: only what is new in it, only where a keyword is, and never longer than a rule may take."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import NamedTuple

from .checks import CHECKS, entropy, is_placeholder
from .report import SEVERITIES, usage_error
from .rules import Rule

#: How long one rule may look at each MiB of a file, in seconds of the processor. Ordinary ones take a hundredth of it.
RULE_LIMIT_S = 1.0
_TICK_S = 0.25
#: More matches of one rule in one file say nothing that these do not.
_MOST = 20
_LONGEST_LINE = 160
#: Seats, tokens, files, people and places: what these categories find is itself not to be shown.
_LAST_SECRET_CATEGORY = 5
#: Bits per character above which a long word is no word of a language.
_RANDOM = 3.5
_COMMENT = re.compile(r"\s*(?:#|//|\*|--|;|<!--|\"\"\"|''')")
_WORD = re.compile(r"[A-Za-z0-9_+/=.:~-]{12,}|[0-9]{2}[ -][0-9]{3}")
_DIGIT = re.compile("[0-9]")
#: A word of that length can be a token without a digit in it.
_LONG = 30
#: How much of a line is looked at around a word, in characters.
_BEFORE, _AFTER = 500, 2000
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")


class Hit(NamedTuple):
    """One match. ``secret`` tells it from others of the rule in the file, and never leaves this machine."""

    rule: Rule
    line: int | None
    secret: str
    evidence: str


class Index:
    """Rules by their keywords: most files hold few of these, and asking each rule takes ten times as long."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._always = [
            at
            for at, rule in enumerate(self._rules)
            if rule.whole or rule.kind == "lost" or not rule.keywords
        ]
        self._by_word: dict[str, list[int]] = {}
        for at, rule in enumerate(self._rules):
            for word in rule.keywords:
                self._by_word.setdefault(word, []).append(at)

    def candidates(self, path: str, small: str) -> Iterator[Rule]:
        """The rules that may find something in a file with these new lines, in small letters."""
        there = set(self._always)
        for word, rules in self._by_word.items():
            if word in small:
                there.update(rules)
        return (self._rules[at] for at in sorted(there) if self._rules[at].applies_to(path))


class _New:
    """The lines of a file that are in none of its old versions, as one text."""

    def __init__(self, text: str, olds: tuple[str, ...]) -> None:
        self.whole, self._olds = text, olds
        known = {line for old in olds for line in old.split("\n")}
        lines = text.split("\n") if known else []
        kept = [(number, line) for number, line in enumerate(lines, 1) if line not in known]
        self.text = "\n".join(line for _, line in kept) if known else text
        self._numbers = [number for number, _ in kept]
        self.small = _lowered(self.text)

    @cached_property
    def _dense(self) -> list[tuple[int, int]]:
        """Where the lines are that have a word like a token, or a group of digits: one line in twenty of a program."""
        spans: list[tuple[int, int]] = []
        for match in _WORD.finditer(self.text):
            if (not spans or match.end() > spans[-1][1]) and (
                len(match[0]) >= _LONG or _DIGIT.search(match[0])
            ):
                spans.append(_around(self.text, match.start(), match.end()))
        return spans

    @cached_property
    def _dense_small(self) -> str:
        return "\n".join(self.small[start:end] for start, end in self._dense)

    @cached_property
    def _whole_small(self) -> str:
        return self.whole.lower()

    def spans(self, rule: Rule) -> Iterable[tuple[int, int]]:
        """Where a rule has to look: at lines with one of its keywords. Looking everywhere takes fifty times as long."""
        if rule.whole:
            found = any(word in self._whole_small for word in rule.keywords)
            return [(0, len(self.whole))] if found else []
        if rule.dense and not self._dense:
            return []
        if rule.dense:
            words = [word for word in rule.keywords if word in self._dense_small]
            if words or not rule.keywords:
                return [
                    span
                    for span in self._dense
                    if not words or any(self.small.find(w, *span) >= 0 for w in words)
                ]
            return []
        return [(0, len(self.text))] if not rule.keywords else self._lines_with(rule.keywords)

    def _lines_with(self, words: Iterable[str]) -> list[tuple[int, int]]:
        spans = set()
        for word in words:
            at = self.small.find(word)
            while at >= 0:
                span = _around(self.text, at, at + len(word))
                spans.add(span)
                at = self.small.find(word, span[1])
        return sorted(spans)

    def has_lost(self, rule: Rule) -> bool:
        """Whether an old version had what is nowhere in the new one."""
        return rule.regex.search(self.whole) is None and any(rule.regex.search(old) for old in self._olds)

    def had(self, matched: str) -> bool:
        """Whether an old version had this text, in a line that was changed elsewhere."""
        return any(matched in old for old in self._olds)

    def line_at(self, offset: int, *, whole: bool) -> int:
        """The number of the line in the file, from 1."""
        if whole or not self._numbers:
            return self.whole.count("\n", 0, offset) + 1
        return self._numbers[self.text.count("\n", 0, offset)]


def _around(text: str, start: int, end: int) -> tuple[int, int]:
    """The line of a word, or the part of it that matters: whole programs are written on one line."""
    before, after = max(0, start - _BEFORE), min(len(text), end + _AFTER)
    line_start, line_end = text.rfind("\n", before, start) + 1, text.find("\n", end, after)
    return line_start or before, after if line_end < 0 else line_end


def _lowered(text: str) -> str:
    """Small letters at the same places: some letters become two, and every place after them would be wrong."""
    small = text.lower()
    return (
        small
        if len(small) == len(text)
        else "".join(each.lower() if len(each.lower()) == 1 else each for each in text)
    )


class _TooSlowError(Exception):
    """A rule took too long."""


class _Watch:
    """Which rule looks, and how many ticks of the timer it has had: to set a timer for each rule would take half a scan."""

    rule: Rule | None = None
    ticks = 0
    limit_s = RULE_LIMIT_S

    def tick(self, *_: object) -> None:
        self.ticks += 1
        if self.rule is not None and self.ticks > self.limit_s / _TICK_S:
            raise _TooSlowError


_watch = _Watch()


@contextmanager
def time_boxed() -> Iterator[None]:
    """Inside, no rule takes longer than ``RULE_LIMIT_S`` for a MiB: a pattern can need years.

    Nothing interrupts a pattern on Windows and in other threads than the main one, so there a rule may take as long as it does.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _watch.tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, _TICK_S, _TICK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def hits_in(path: str, text: str, olds: Iterable[str], rules: Index, *, binary: bool = False) -> list[Hit]:
    """What the rules for texts find in the new lines of a file; ``olds`` are its earlier contents.

    Raises ``UsageError`` ``usage.slow_guard_rule``.
    """
    new = _New(text, tuple(olds))
    found: list[tuple[Rule, re.Match[str]]] = []
    lost: list[Hit] = []
    _watch.limit_s = RULE_LIMIT_S * (1 + len(text) // 2**20)
    try:
        for rule in rules.candidates(path, new.small):
            if binary and not rule.binary:
                continue
            _watch.rule, _watch.ticks = rule, 0
            if rule.kind == "lost":
                lost += [Hit(rule, None, "", "no longer in the file")] if new.has_lost(rule) else []
            elif spans := new.spans(rule):
                found += [(rule, match) for match in _matches(rule, new, spans)]
    except _TooSlowError:
        raise _too_slow(path) from None
    finally:
        _watch.rule = None
    return [*_shown(_distinct(found), new), *lost]


def _too_slow(path: str) -> Exception:
    name = "" if _watch.rule is None else _watch.rule.id
    return usage_error(
        "usage.slow_guard_rule",
        f"A rule took longer than {_watch.limit_s:g} s on one file: `{name}`\n  file: `{path}`",
        "Make its pattern simpler, or move the file that has the rule away",
    )


def _distinct(found: list[tuple[Rule, re.Match[str]]]) -> list[tuple[Rule, re.Match[str]]]:
    """Without the general rules where a more severe one has found the same secret: one key is one finding."""
    kept: list[tuple[Rule, re.Match[str]]] = []
    for rule, match in sorted(found, key=lambda each: SEVERITIES.index(each[0].severity)):
        start, end = _secret_span(match)
        same = (
            other.whole == rule.whole and begin < end and start < stop
            for other, (begin, stop) in (
                (each, _secret_span(earlier)) for each, earlier in kept if _is_secret(each, earlier)
            )
        )
        if not (_is_secret(rule, match) and any(same)):
            kept.append((rule, match))
    return kept


def _secret_span(match: re.Match[str]) -> tuple[int, int]:
    named = "secret" in match.re.groupindex and match["secret"] is not None
    return match.span("secret" if named else 0)


def _matches(rule: Rule, new: _New, spans: Iterable[tuple[int, int]]) -> list[re.Match[str]]:
    """The matches that are no placeholder, no comment, no wrong checksum, and not what the file held before."""
    text = new.whole if rule.whole else new.text
    kept: dict[str, re.Match[str]] = {}
    for match in (each for span in spans for each in rule.regex.finditer(text, *span)):
        if match[0] not in kept and _counts(rule, match) and not new.had(match[0]):
            kept[match[0]] = match
            if len(kept) >= max(_MOST, rule.at_least):
                break
    return [] if len(kept) < rule.at_least else list(kept.values())[: 1 if rule.at_least > 1 else None]


def _counts(rule: Rule, match: re.Match[str]) -> bool:
    value = secret_of(match)
    if rule.entropy and entropy(value) < rule.entropy:
        return False
    if rule.check is not None and not CHECKS[rule.check](value):
        return False
    if rule.real_value and is_placeholder(value):
        return False
    if rule.code and _COMMENT.match(match.string, match.string.rfind("\n", 0, match.start()) + 1):
        return False
    return rule.unless is None or re.search(rule.unless, line_around(match)) is None


def secret_of(match: re.Match[str]) -> str:
    """The part of a match that is the secret: the group of that name, or all of it."""
    start, end = _secret_span(match)
    return match.string[start:end]


def line_around(match: re.Match[str]) -> str:
    """The line in which a match begins, or the part of a very long one that is around it."""
    start, end = _around(match.string, match.start(), match.start())
    return match.string[start:end]


def _is_secret(rule: Rule, match: re.Match[str]) -> bool:
    return rule.category <= _LAST_SECRET_CATEGORY or "secret" in match.re.groupindex


def _shown(found: list[tuple[Rule, re.Match[str]]], new: _New) -> list[Hit]:
    secrets = sorted(
        {secret_of(match) for rule, match in found if _is_secret(rule, match)}, key=len, reverse=True
    )
    hits = []
    for rule, match in found:
        line = line_around(match)
        number = new.line_at(match.start(), whole=rule.whole)
        if rule.at_least > 1:
            hits.append(Hit(rule, number, "", f"{rule.at_least} or more, the first one in this line"))
            continue
        # What is no secret is known by its line: another use of the same function is another finding.
        identity = secret_of(match) if _is_secret(rule, match) else line.strip()
        hits.append(Hit(rule, number, identity, _evidence(line, secrets)))
    return hits


def _evidence(line: str, secrets: list[str]) -> str:
    """A line without its secrets, and without any other long word that could be one."""
    for secret in secrets:
        line = line.replace(secret, f"[redacted: {len(secret)} characters]")
    line = _LONG_WORD.sub(lambda word: "[...]" if entropy(word[0]) > _RANDOM else word[0], line).strip()
    at = max(0, line.find("[redacted") - _LONGEST_LINE // 2)
    return line[at : at + _LONGEST_LINE]
