"""What the command line calls: one function each for scan, install, uninstall, accept, explain and the doctor's question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path

from oneseat import ErrorInfo, UsageError

from . import acceptance, hook
from .external import gitleaks
from .git import Repository
from .leaving import Leaving, everything, framework, leaving, pushed, ranged, staged, unpushed
from .report import Finding, Report, usage_error
from .review import review
from .rules import load_rules
from .scan import Scan
from .selftest import try_hook, try_rules
from .store import Store

#: What a repository's scan looks at.
What = Callable[[Repository], Iterable[Leaving]]
_OWN_RULES = "guard"


class Guard:
    """The guard of one repository: of ``folder``, or of the one that the working directory or git's variables name.

    ``data`` and ``config`` are oneseat's folders for data and for settings. Raises ``UsageError`` where there is no repository.
    """

    def __init__(self, data: Path, config: Path, env: Mapping[str, str], folder: Path | None = None) -> None:
        self._env = env
        self._config = config
        self._folder = data / "guard"
        self._repository = Repository(folder or Path.cwd(), env, named=folder is not None)

    def scan(
        self, what: What, *, ask: bool, beside: bool = True, test: bool = False, other: bool = False
    ) -> Report:
        """Scan; ``ask`` the model about what is found, look ``beside`` it at the work tree, ``test`` every rule first.

        ``other`` adds what gitleaks finds.

        Raises ``UsageError`` for everything that keeps it from looking at all of it.
        """
        book = load_rules(self._config / _OWN_RULES, self._folder)
        if test:
            try_rules(book)
        with closing(self._store()) as store:
            judge = partial(review, folder=self._folder) if ask else None
            return Scan(self._repository, book, store, judge, gitleaks if other else None).run(
                what(self._repository), beside=beside
            )

    def install(self) -> list[str]:
        """Put the hook in place, and test rules and hook. Returns what there is to know."""
        try_rules(load_rules(self._config / _OWN_RULES))
        return hook.install(self._repository, self._env)

    def uninstall(self) -> list[str]:
        """Take the hook away. Returns what was done."""
        return hook.uninstall(self._repository)

    def accept(self, fingerprint: str, reason: str, until: date) -> Finding:
        """Accept a finding. Raises like ``acceptance.accept``."""
        with closing(self._store()) as store:
            return acceptance.accept(store, self._repository, self._env, fingerprint, (reason, until))

    def explain(self, fingerprint: str) -> Finding:
        """A finding with what is known of it now. Raises ``UsageError`` ``usage.unknown_finding``."""
        with closing(self._store()) as store:
            return acceptance.known(store, fingerprint)

    def check_up(self) -> str | None:
        """Test hook and rules where the hook is installed. Returns what is tested, ``None`` without a hook of oneseat's.

        Raises ``UsageError`` for what does not work.
        """
        state = hook.hook_state(self._repository)
        if state in {"none", "foreign"}:
            return None
        if state == "not_executable":
            raise usage_error(
                "usage.guard_hook",
                f"The hook cannot be executed, so git leaves it out: `{self._repository.hooks / 'pre-push'}`",
                "Install it again: `oneseat guard install`",
            )
        try_rules(load_rules(self._config / _OWN_RULES))
        try_hook(self._env)
        return str(self._repository.hooks / "pre-push")

    def _store(self) -> Store:
        return Store(self._folder)


def sarif_log(report: Report) -> object:
    """The findings as SARIF, see ``sarif``."""
    from .sarif import sarif  # noqa: PLC0415 - takes a tenth of the time of a small scan, which hardly ever asks for it

    return sarif(report)


def check_up(data: Path, config: Path, env: Mapping[str, str]) -> tuple[str, ErrorInfo | None] | None:
    """For the doctor: which hook was tested, and what is wrong with it; ``None`` where none of oneseat's is installed."""
    try:
        guard = Guard(data, config, env)
    except UsageError:  # no repository, or no git
        return None
    try:
        file = guard.check_up()
    except UsageError as error:
        return "pre-push", error.info
    return None if file is None else (file, None)


def of_push(remote: str, url: str, lines: str) -> What:
    """What git says that it pushes to a remote, see ``pushed``."""
    return lambda repository: leaving(repository, pushed(repository, remote, url, lines))


def of_range(given: str) -> What:
    """A range as git writes it."""
    return lambda repository: leaving(repository, ranged(repository, given))


def of_everything(repository: Repository) -> Iterable[Leaving]:
    """The whole history of every branch and tag."""
    return leaving(repository, everything(repository))


def of_unpushed(repository: Repository) -> Iterable[Leaving]:
    """What no remote is known to have of the current branch."""
    return leaving(repository, unpushed(repository))


def of_index(repository: Repository) -> Iterable[Leaving]:
    """What the next commit would add."""
    return (staged(repository),)


def of_framework(env: Mapping[str, str]) -> What | None:
    """What the `pre-commit` program says that is pushed, which keeps git's own lines; ``None`` where it says nothing."""
    tip = env.get("PRE_COMMIT_TO_REF") or env.get("PRE_COMMIT_LOCAL_BRANCH")
    remote = env.get("PRE_COMMIT_REMOTE_NAME")
    if not tip or not remote:
        return None
    known = env.get("PRE_COMMIT_FROM_REF") or None
    return lambda repository: leaving(repository, framework(repository, tip, known, remote))
