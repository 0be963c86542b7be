"""The exact commands that take a finding out of what is pushed."""

from __future__ import annotations

import shlex

from .git import Git
from .rules import Rule

#: Categories whose findings have to leave the history too, not only the newest version.
_IN_HISTORY = range(1, 6)


def exact_remedy(git: Git, rule: Rule, path: str, commit: str | None) -> str:
    """What the rule says to do, and the commands for the place of the finding."""
    name = shlex.quote(path)
    lines = [rule.remedy.replace("FILE", name)]
    if rule.kind == "unignored":
        return f"Ignore it: `echo {name} >> .gitignore`"
    if commit is None and rule.kind == "path":
        lines.append(f"Unstage it: `git rm --cached {name}`")
    elif commit is not None and path.startswith("("):
        lines += _rewrite(git, commit, "change the message", "git commit --amend")
    elif commit is not None and rule.category in _IN_HISTORY:
        if rule.kind == "path":
            lines += _rewrite(git, commit, None, f"git rm --cached {name} && git commit --amend --no-edit")
            lines.append(f"In all commits at once: `git filter-repo --invert-paths --path {name}`")
        else:
            lines += _rewrite(git, commit, f"correct {name}", f"git commit --amend --no-edit {name}")
            lines.append(
                "In all commits at once: `git filter-repo --replace-text FILE`, with the secret in FILE"
            )
    return "\n".join(lines)


def _rewrite(git: Git, commit: str, first: str | None, command: str) -> list[str]:
    """It is not pushed yet, so the commit itself is corrected, and those after it are made again."""
    before = "" if first is None else f"{first}, then "
    if git.line("rev-parse", "--verify", "--quiet", "HEAD") == commit:
        return [f"It is in the newest commit: {before}`{command}`"]
    is_first = not git.line("rev-parse", "--verify", "--quiet", f"{commit}^")
    base = "--root" if is_first else f"{commit[:12]}^"
    edit = f"`git rebase -i {base}`, mark {commit[:12]} with `edit`"
    return [f"It is in an earlier commit: {edit}, {before}`{command} && git rebase --continue`"]
