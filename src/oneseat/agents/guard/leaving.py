"""What leaves: the commits of a push, a range or an index, and the files and messages that each of them adds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .git import Git, Repository
from .report import usage_error

_SUBMODULE = "160000"
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
#: The parts of an address that say which repository it is: the same one has a name for git and one for https.
_ADDRESS = re.compile(r"(?:\w+://)?(?:[^@/]+@)?([\w.-]+)(?::\d+/|[:/]/?)(.+?)(?:\.git)?/?")
COMMIT_MESSAGE, TAG_MESSAGE = "(commit message)", "(tag message)"


class Selection(NamedTuple):
    """What to look at: everything from ``tips`` that is not reachable from ``known`` or named by ``options`` of git rev-list."""

    tips: tuple[str, ...]
    known: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Change(NamedTuple):
    """One file as one commit leaves it. ``commit`` is ``None`` for the index; ``new`` is ``None`` where it is removed.

    ``olds`` are the contents that the file had before: lines of these do not leave with this change.
    """

    commit: str | None
    path: str
    new: str | None
    olds: tuple[str, ...] = ()
    is_message: bool = False


class Leaving(NamedTuple):
    """What leaves of one repository, ``commits`` with their parents first; ``prefix`` is the path of a submodule."""

    git: Git
    commits: tuple[str, ...]
    changes: tuple[Change, ...]
    prefix: str = ""
    of_index: bool = False


def pushed(repository: Repository, remote: str, url: str, lines: str) -> Selection:
    """What a push sends, as git tells its hook: a line for each ref with its new and its old object.

    Raises ``UsageError`` for a line that is none of these.
    """
    tips, known = [], []
    for line in lines.splitlines():
        words = line.rsplit(" ", 3)
        if len(words) != 4 or not _OID.fullmatch(words[1]) or not _OID.fullmatch(words[3]):
            raise usage_error("usage.guard_range", f"Not a line of git's pre-push hook: `{line}`")
        if words[1].strip("0"):  # else the ref is deleted, and nothing leaves
            tips.append(words[1])
        if words[3].strip("0"):
            known.append(words[3])
    return Selection(tuple(tips), tuple(known), _tracked(repository, remote, url) if tips else ())


def _tracked(repository: Repository, remote: str, url: str) -> tuple[str, ...]:
    """Leave out what was fetched from the same place. A remote may be pushed to another address than it is fetched from."""
    fetched = os.fsdecode(repository.git.ask("remote", "get-url", remote, also=(1, 2, 128))).rstrip("\n")
    return ("--not", f"--remotes={remote}") if fetched and _place(fetched) == _place(url) else ()


def _place(address: str) -> tuple[str, ...]:
    found = _ADDRESS.fullmatch(address)
    return (found[1].lower(), found[2].lstrip("/")) if found else (address,)


def ranged(repository: Repository, given: str) -> Selection:
    """A range as git writes it, such as ``main..HEAD``. Raises ``UsageError`` for anything else."""
    spelled = (
        b""
        if given.startswith("-")
        else repository.git.ask("rev-parse", "--revs-only", given, "--", also=(128,))
    )
    oids = spelled.decode().split()
    if not oids:
        raise usage_error(
            "usage.guard_range",
            f"Not a range of commits: `{given}`",
            "Name two commits that exist: `oneseat guard scan --range origin/main..HEAD`",
        )
    known = tuple(oid[1:] for oid in oids if oid.startswith("^"))
    return Selection(tuple(oid for oid in oids if not oid.startswith("^")), known)


def framework(repository: Repository, tip: str, known: str | None, remote: str) -> Selection:
    """What the `pre-commit` program says that is pushed. Raises ``UsageError`` where there is no such commit."""
    return Selection(
        ranged(repository, tip).tips, () if known is None else (known,), ("--not", f"--remotes={remote}")
    )


def unpushed(repository: Repository) -> Selection:
    """What a push of the current branch would send: all that no remote is known to have."""
    return Selection(_head(repository.git), (), ("--not", "--remotes"))


def everything(repository: Repository) -> Selection:
    """The whole history of every branch and tag."""
    refs = repository.git.ask("for-each-ref", "--format=%(objectname)", "refs/heads", "refs/tags").decode()
    return Selection(tuple(dict.fromkeys([*refs.split(), *_head(repository.git)])))


def _head(git: Git) -> tuple[str, ...]:
    return tuple(git.line("rev-parse", "--verify", "--quiet", "HEAD").split())


def staged(repository: Repository) -> Leaving:
    """What the next commit would add."""
    git = repository.git
    head = _head(git) or (git.line("hash-object", "-t", "tree", os.devnull),)
    raw = git.ask(
        "diff-index", "--cached", "--raw", "-r", "-z", "-M100%", "--ignore-submodules=none", *head, "--"
    )
    changes, _ = _parse(raw)
    return Leaving(git, (), tuple(changes), of_index=True)


def leaving(repository: Repository, selection: Selection) -> Iterator[Leaving]:
    """What leaves with a selection, then what leaves of each submodule that is checked out here."""
    yield from _of_commits(repository.git, selection, "", repository.top)


def _of_commits(git: Git, selection: Selection, prefix: str, top: Path | None) -> Iterator[Leaving]:
    commits, extra = _peel(git, selection.tips)
    known = tuple(git.infos(selection.known))
    listed = _commits(git, commits, known, selection.options)
    raw = git.ask(
        *("diff-tree", "--stdin", "-r", "--root", "-c", "-M100%", "-z", "--raw", "--ignore-submodules=none"),
        stdin="".join(f"{oid}\n" for oid in listed).encode(),
    )
    changes, modules = _parse(raw)
    messages = [Change(oid, COMMIT_MESSAGE, oid, is_message=True) for oid in listed]
    yield Leaving(git, tuple(listed), (*extra, *messages, *changes), prefix)
    for path, (news, olds) in modules.items():
        if top is not None and (top / path / ".git").exists():
            module = git.submodule(top / path)
            # A commit that is not here cannot be pushed from here.
            below = Selection(tuple(module.infos(news)), tuple(olds), ("--not", "--remotes"))
            yield from _of_commits(module, below, f"{prefix}{path}/", top / path)


def _commits(git: Git, tips: Iterable[str], known: Iterable[str], options: tuple[str, ...]) -> list[str]:
    """The commits that are new, parents first."""
    names = "".join(f"{oid}\n" for oid in [*tips, *(f"^{oid}" for oid in known)]).encode()
    if not names:
        return []
    return git.ask("rev-list", "--reverse", "--topo-order", "--stdin", *options, stdin=names).decode().split()


def _peel(git: Git, tips: Iterable[str]) -> tuple[list[str], list[Change]]:
    """The commits behind ``tips``, and what leaves besides them: messages of tags, and files that a tag names itself."""
    commits: list[str] = []
    extra: list[Change] = []
    waiting = list(dict.fromkeys(tips))
    while waiting:
        infos = git.infos(waiting)
        kinds = {oid: infos[oid].kind if oid in infos else "missing" for oid in waiting}
        commits += [oid for oid, kind in kinds.items() if kind == "commit"]
        extra += [Change(None, f"({oid})", oid) for oid, kind in kinds.items() if kind == "blob"]
        for oid in (oid for oid, kind in kinds.items() if kind == "tree"):
            extra += _files_of(git, oid)
        # What is missing is read like a tag, which names the object in an error.
        tags = [oid for oid, kind in kinds.items() if kind in {"tag", "missing"}]
        extra += [Change(None, TAG_MESSAGE, oid, is_message=True) for oid in tags]
        waiting = [data.split(b"\n", 1)[0].split()[1].decode() for data in git.contents(tags)]
    return commits, extra


def _files_of(git: Git, tree: str) -> list[Change]:
    entries = git.ask("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]
    split = [entry.partition(b"\t") for entry in entries]
    return [Change(None, os.fsdecode(path), head.split()[2].decode()) for head, _, path in split]


_Modules = dict[str, tuple[list[str], list[str]]]


def _parse(raw: bytes) -> tuple[list[Change], _Modules]:
    """What git's diff commands print with ``--raw -z``: commits, and below each one its files.

    Submodules are apart: by path, their commits after and before.
    """
    changes: list[Change] = []
    modules: _Modules = {}
    commit = None
    parts = iter(raw.split(b"\0"))
    for part in parts:
        if not part.startswith(b":"):
            commit = part.decode() or commit
            continue
        # As many modes as contents, the new ones last; then a letter for each parent. A renamed file has two paths.
        *words, letters = part.decode().split()
        paths = [os.fsdecode(next(parts)) for _ in range(2 if letters[0] in "RC" else 1)]
        modes, oids = words[: len(words) // 2], words[len(words) // 2 :]
        olds = [oid for oid in oids[:-1] if oid.strip("0")]
        if modes[-1] == _SUBMODULE:
            news, before = modules.setdefault(paths[-1], ([], []))
            news.append(oids[-1])
            before += olds
        else:
            changes.append(Change(commit, paths[-1], oids[-1] if oids[-1].strip("0") else None, tuple(olds)))
    return changes, modules
