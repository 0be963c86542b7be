"""One scan: what leaves, what the rules find in it, what the owner accepted, what the model thinks."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from .acceptance import is_over
from .external import Foreign
from .git import BIGGEST, Git, ObjectInfo, Repository
from .leaving import Change, Leaving
from .matching import Hit, Index, hits_in, time_boxed
from .remedies import exact_remedy
from .report import SEVERITIES, Acceptance, Finding, Report, Scanned
from .rules import Rule, RuleBook
from .selftest import CANARY, failed
from .store import Opinion, Store

#: Secrets that the model's word does not release: it never sees them.
_RELEASED_BY_MODEL = frozenset({"medium"})
_TOO_BIG = Rule(
    id="too-big-to-scan",
    severity="medium",
    why=f"the file is larger than {BIGGEST // 2**20} MiB and was not looked into",
    remedy="Keep large files out of the repository (Git LFS), or look into it yourself and accept it",
    pattern="",
    kind="path",
    true=(),
    false=(),
    category=3,
)


#: Asks the model: opinions by fingerprint, how many runs were sent, and why there is no answer, if so.
Review: TypeAlias = Callable[[list[Finding]], tuple[Mapping[str, Opinion], int, str | None]]


#: Another scanner.
Other: TypeAlias = Callable[[Leaving], Iterable[Foreign]]


class _Found(NamedTuple):
    git: Git
    commit: str | None
    path: str
    hit: Hit


class _Contents(NamedTuple):
    """One file of one commit whose contents have to be looked at."""

    change: Change
    key: bytes


class Scan:
    """Looks at what leaves of one repository. ``review`` asks the model, ``other`` another scanner, where they are given."""

    def __init__(
        self,
        repository: Repository,
        book: RuleBook,
        store: Store,
        review: Review | None = None,
        other: Other | None = None,
    ) -> None:
        self._repository = repository
        self._book = book
        self._store = store
        self._review = review
        self._other = other
        self._texts = Index(book.of_kind("text", "lost"))
        self._commits = self._blobs = self._bytes = 0

    def run(self, leaving: Iterable[Leaving], *, beside: bool) -> Report:
        """Scan it all. ``beside`` also looks at the work tree: at files that git would take along next time.

        Raises ``UsageError`` for everything that keeps it from looking at all of it.
        """
        began = time.monotonic()
        with time_boxed():
            self._check_canary()
            found = [each for part in leaving for each in (*self._part(part), *self._of_other(part))]
            if beside and self._repository.top is not None:
                found += self._work_tree(self._repository.top)
        findings = self._findings(found)
        runs, note = 0, None
        if self._review is not None:
            findings, runs, note = self._reviewed(self._review, findings)
        self._store.note_findings(self._repository.name, findings)
        return Report(
            scanned=Scanned(commits=self._commits, blobs=self._blobs, bytes=self._bytes),
            findings=tuple(finding for finding in findings if finding.accepted is None or finding.expired),
            accepted=tuple(
                finding for finding in findings if finding.accepted is not None and not finding.expired
            ),
            model_runs=runs,
            model_note=note,
            duration_ms=round((time.monotonic() - began) * 1000),
        )

    def _of_other(self, part: Leaving) -> Iterator[_Found]:
        for each in () if self._other is None else self._other(part):
            yield _Found(part.git, *each)

    def _check_canary(self) -> None:
        # A list of rules that was cut would find nothing, which looks like a clean push.
        if not hits_in("canary.txt", CANARY, (), self._texts):
            raise failed("claude-subscription-token")

    def _part(self, part: Leaving) -> Iterator[_Found]:
        self._commits += len(part.commits)
        infos = part.git.infos(
            oid for change in part.changes for oid in (change.new, *change.olds) if oid is not None
        )
        contents: list[_Contents] = []
        for change in part.changes:
            path = part.prefix + change.path
            yield from self._of_path(part, change, path)
            if change.new is not None:
                info = infos.get(change.new)
                if info is None:
                    list(part.git.contents([change.new]))  # raises: it cannot be read
                elif info.size > BIGGEST and not change.is_message:
                    yield _Found(
                        part.git, change.commit, path, Hit(_TOO_BIG, None, change.new, f"{info.size:,} bytes")
                    )
                else:
                    if not change.is_message:
                        self._blobs += 1
                        self._bytes += info.size
                    contents.append(_Contents(change, self._key(change, path)))
        yield from self._of_contents(part, contents, infos)

    def _of_path(self, part: Leaving, change: Change, path: str) -> Iterator[_Found]:
        if change.is_message:
            return
        for rule in self._book.of_kind("deleted" if change.new is None else "path"):
            if rule.applies_to(path) and rule.regex.search(path):
                yield _Found(part.git, change.commit, path, Hit(rule, None, "", "the file itself"))

    def _key(self, change: Change, path: str) -> bytes:
        text = "\0".join((path, change.new or "", *change.olds)).encode("utf-8", "surrogateescape")
        return hashlib.sha256(self._book.digest + text).digest()

    def _of_contents(
        self, part: Leaving, contents: list[_Contents], infos: Mapping[str, ObjectInfo]
    ) -> Iterator[_Found]:
        known = self._store.clean(each.key for each in contents)
        waiting = [each for each in contents if each.key not in known]
        # An old content that is not here, or too big, only makes more lines count as new.
        olds = [[oid for oid in each.change.olds if _is_readable(infos.get(oid))] for each in waiting]
        order = [
            oid
            for each, before in zip(waiting, olds, strict=True)
            for oid in (*before, each.change.new or "")
        ]
        stream = part.git.contents(order)
        clean = []
        for each, before in zip(waiting, olds, strict=True):
            old_data = [next(stream) for _ in before]
            hits = self._hits(each.change, part.prefix, next(stream), old_data)
            if not hits:
                clean.append(each.key)
            yield from (
                _Found(part.git, each.change.commit, part.prefix + each.change.path, hit) for hit in hits
            )
        self._store.note_clean(clean)

    def _hits(self, change: Change, prefix: str, data: bytes, olds: list[bytes]) -> list[Hit]:
        if change.is_message:
            data = data.partition(b"\n\n")[2]
        text, is_text = _decoded(data)
        before = [_decoded(old)[0] for old in olds]
        return hits_in(prefix + change.path, text, before, self._texts, binary=not is_text)

    def _work_tree(self, top: Path) -> Iterator[_Found]:
        """Files with secrets that git does not ignore, and an environment file without an example."""
        git = self._repository.git
        names = _names(git, "ls-files", "-z", "--others", "--exclude-standard")
        for rule in self._book.of_kind("unignored"):
            for name in names:
                if rule.regex.search(name):
                    yield _Found(git, None, name, Hit(rule, None, "", "in the work tree, not in git"))
        for rule in self._book.of_kind("no_example"):
            beside = [path.name for path in top.iterdir()]
            there = [name for name in beside if rule.regex.search(name)]
            if there and not any(name.startswith(f"{there[0]}.") for name in beside):
                yield _Found(git, None, there[0], Hit(rule, None, "", "in the work tree, without an example"))

    def _findings(self, found: Iterable[_Found]) -> list[Finding]:
        """Each finding once, with the first commit that has it, the gravest first."""
        accepted, opinions = self._store.accepted(), self._store.opinions()
        findings: dict[str, Finding] = {}
        places: dict[tuple[str | None, str, int | None], str] = {}
        for each in found:
            fingerprint = self._store.fingerprint(
                self._repository.name, each.hit.rule.id, each.path, each.hit.secret
            )
            place = (each.commit, each.path, each.hit.line)
            # A rule without samples is the other scanner's: what it finds in the same line is the same secret.
            known = (
                each.hit.line is not None
                and places.setdefault(place, fingerprint) != fingerprint
                and not each.hit.rule.true
            )
            if fingerprint not in findings and not known:
                finding = _finding(fingerprint, each, accepted.get(fingerprint))
                findings[fingerprint] = _judged(finding, opinions.get(fingerprint))
        return sorted(findings.values(), key=lambda each: (SEVERITIES.index(each.severity), each.category))

    def _reviewed(self, review: Review, findings: list[Finding]) -> tuple[list[Finding], int, str | None]:
        """Ask about what nobody has judged yet."""
        new = [finding for finding in findings if finding.stops and finding.verdict == "not_asked"]
        if not new:
            return findings, 0, None
        opinions, runs, note = review(new)
        self._store.note_opinions(opinions)
        return [_judged(finding, opinions.get(finding.fingerprint)) for finding in findings], runs, note


def _finding(fingerprint: str, found: _Found, word: Acceptance | None) -> Finding:
    rule, hit, expired = found.hit.rule, found.hit, word is not None and is_over(word)
    # A name may hold line ends, terminal codes and bytes that are no UTF-8; a message must not.
    path = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in found.path)
    return Finding(
        fingerprint=fingerprint,
        category=rule.category,
        rule=rule.id,
        severity=rule.severity,
        path=path,
        line=hit.line,
        commit=found.commit,
        evidence=hit.evidence,
        why=rule.why,
        remedy=exact_remedy(found.git, rule, path, found.commit),
        accepted=word,
        expired=expired,
        stops=rule.severity != "low" and (word is None or expired),
    )


def _judged(finding: Finding, opinion: Opinion | None) -> Finding:
    """A finding with the model's opinion, which releases no secret."""
    if opinion is None:
        return finding
    released = opinion.verdict == "false_alarm" and finding.severity in _RELEASED_BY_MODEL
    return msgspec.structs.replace(
        finding, verdict=opinion.verdict, opinion=opinion.why, stops=finding.stops and not released
    )


def _is_readable(info: ObjectInfo | None) -> bool:
    return info is not None and info.kind == "blob" and info.size <= BIGGEST


def _names(git: Git, *arguments: str) -> list[str]:
    return [os.fsdecode(name) for name in git.ask(*arguments).split(b"\0") if name]


def _decoded(data: bytes) -> tuple[str, bool]:
    """A file as text, and whether it is one. UTF-16, which Windows writes, is full of zeros and a text all the same."""
    head = data[:8000]
    if b"\0" not in head:
        return data.decode("utf-8", "replace"), True
    for start, codec in ((0, "utf-16-be"), (1, "utf-16-le")):
        if head[start::2].count(0) * 4 > len(head):
            return data.decode(codec, "replace"), True
    return data.decode("latin-1"), False
