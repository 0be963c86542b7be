"""Whether the files and folders that decide who pays are still the ones they were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from oneseat.contract.facts import CredentialSource
from oneseat.providers.cli_common.stamps import Stamps, first_change, stamps

from .login import login_facts
from .paths import ClaudePaths
from .scan import scan_unkeepable

#: What the files hold that decides: the sources that nothing withholds, and what is known of the login.
_Contents: TypeAlias = tuple[tuple[CredentialSource, ...], tuple[object, ...]]


class Watch:
    """What decides who pays for one process with these places and environment. Make it before the process is started.

    The CLI applies an administrator's settings while it runs, a second or more after they were written, and keeps what they
    have set when they are gone again. So once one of those files, or a folder they are in, has changed since before its start,
    a process is not to be used any more. Of the other files only what they hold now counts.
    """

    def __init__(self, places: ClaudePaths, env: Mapping[str, str]) -> None:
        self._env = env
        self._places = places
        folder = places.managed_dir
        managed = (folder, folder / "managed-settings.json", places.drop_in_dir)
        others: tuple[Path, ...] = (places.login_file(), places.user_settings(), places.project_settings())
        self._managed = tuple(map(str, managed))
        others += (*places.local_settings(), *places.global_configs(), *places.remote_settings())
        self._others = tuple(map(str, others))
        self._at_start = self._managed_stamps()
        # A folder that comes and goes leaves a trace in the one above it, in which other things change as well.
        self._above = stamps((str(folder.parent),))
        self._changed_above: str | None = None
        self._settled = False
        self._seen: tuple[Stamps, _Contents] | None = None

    def stamps(self) -> Stamps:
        """A stamp for each file and folder, as they are now."""
        return self._managed_stamps() | stamps(self._others)

    def look(self) -> tuple[CredentialSource, ...]:
        """What reaches the process whatever its flags are. ``changed`` compares with what is found now."""
        # The stamps come first: a change while the files are read is noticed later.
        before, contents = self.stamps(), self._contents()
        self._seen = before, contents
        return contents[0]

    def settle(self) -> None:
        """The process has read its settings: from here on it applies only changes in a folder that was there at its start."""
        if not self._settled:
            self._changed_above, self._settled = self._look_above(), True

    def overtaken(self) -> str | None:
        """An administrator's file or folder that has changed since before the process was started; ``None`` without one."""
        return self._overtaken(self._managed_stamps())

    def changed(self) -> str | None:
        """A file or folder whose change since the last ``look`` can change who pays; ``None`` without one."""
        managed = self._managed_stamps()
        overtaken = self._overtaken(managed)
        now = managed | stamps(self._others)
        if overtaken is not None or self._seen is None or now == self._seen[0]:
            return overtaken
        before, contents = self._seen
        # The CLI itself writes its state file, and its login when it renews that.
        if self._contents() != contents:
            return first_change(before, now)
        self._seen = now, contents
        return None

    def _overtaken(self, managed: Stamps) -> str | None:
        above = self._changed_above if self._settled else self._look_above()
        return first_change(self._at_start, managed) or above

    def _look_above(self) -> str | None:
        return first_change(self._above, stamps(self._above))

    def _managed_stamps(self) -> Stamps:
        return stamps((*self._managed, *self._places.drop_in_files()))

    def _contents(self) -> _Contents:
        login = login_facts(self._env, self._places.config_dir)
        decides = (login.kind, login.scopes, login.subscription, login.rate_limit_tier)
        return scan_unkeepable(self._places), decides
