"""One environment and working directory: the folders, settings, keys and policy that hold there.

Importing this module loads next to nothing: `oneseat usage` and `oneseat limits` answer before most of it is needed.
"""

from __future__ import annotations

import os
from functools import cached_property

from oneseat.host import quick_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any, TypeVar

    from oneseat.contract.keys import ApiKey
    from oneseat.host.paths import Paths
    from oneseat.rules.policy.decide import PolicyView
    from oneseat.rules.redaction import Redactor
    from oneseat.settings import Settings
    from oneseat.stores.policy.pack import PolicyFiles

    from .contract.policy_pack import Pack
    from .contract.routing import RouteTable
    from .rules.policy.inputs import PolicyEnvironment
    from .settings.tables import NamedTable

    Row = TypeVar("Row")


class Installation:
    """Reads each part once, when it is first used; making one reads nothing.

    ``env`` is copied, the real environment by default; ``cwd`` is where the search for a project's settings begins. What
    cannot be used raises ``UsageError`` when it is asked for.
    """

    def __init__(self, env: Mapping[str, str] | None = None, cwd: str | Path | None = None) -> None:
        self.env: Mapping[str, str] = dict(os.environ if env is None else env)
        self._cwd = cwd
        self._tables: dict[str, Any] = {}

    def outside_projects(self) -> Installation:
        """The same without the settings of a project: what only the owner's own file may say."""
        return Installation(self.env, os.sep)

    @cached_property
    def cwd(self) -> Path:
        """The working directory. Raises ``usage.bad_directory`` when it was deleted."""
        from pathlib import Path  # noqa: PLC0415 - takes 10 ms, and quick answers do without

        from oneseat.host.paths import working_directory  # noqa: PLC0415 - as above

        return working_directory() if self._cwd is None else Path(self._cwd)

    @cached_property
    def paths(self) -> Paths:
        """Every folder and file of oneseat. Raises ``usage.bad_home``."""
        from oneseat.host.paths import Paths  # noqa: PLC0415 - takes 40 ms, and quick answers do without
        from oneseat.settings import home_from  # noqa: PLC0415 - as above

        return Paths.find(home_from(self.env))

    @cached_property
    def data_dir(self) -> str:
        """The folder for data, found without ``paths`` where that is possible. Raises ``usage.bad_home``."""
        return quick_paths.data_dir(self.env) or str(self.paths.data_dir)

    @cached_property
    def config_dir(self) -> str:
        """The folder for settings, found without ``paths`` where that is possible. Raises ``usage.bad_home``."""
        return quick_paths.config_dir(self.env) or str(self.paths.config_dir)

    @cached_property
    def settings(self) -> Settings:
        """The settings in force in ``cwd``. Raises for anything wrong in them."""
        from oneseat.settings import load  # noqa: PLC0415 - quick answers do without

        return load(self.env, self.cwd, self.paths.config_dir)

    @property
    def settings_file(self) -> Path:
        """The owner's settings file, there or not."""
        return self.paths.config_dir / "oneseat.toml"

    @cached_property
    def keys(self) -> dict[str, ApiKey]:
        """The owner's API keys by name: where each is, and what for. No value is read."""
        from oneseat.settings import KEYS  # noqa: PLC0415 - quick answers do without

        return self.named(KEYS)

    def named(self, table: NamedTable[Row]) -> dict[str, Row]:
        """The rows of a table of the owner's settings file by name, such as ``oneseat.settings.PROJECTS``."""
        from oneseat.settings import read_named  # noqa: PLC0415 - quick answers do without

        rows: dict[str, Row] | None = self._tables.get(table.table)
        if rows is None:
            rows = self._tables[table.table] = read_named(table, self.paths.config_dir)
        return rows

    @cached_property
    def routes(self) -> RouteTable:
        """Which seats and keys may serve the owner's runs, and in which order."""
        from oneseat.settings import ROLES  # noqa: PLC0415 - as above

        from .rules.routing.table import table_of  # noqa: PLC0415 - quick answers do without

        settings = self.settings
        return table_of(settings.seat_provider, settings.fallback_to, self.keys, self.named(ROLES).values())

    @cached_property
    def redactor(self) -> Redactor:
        """Takes the credentials of this environment out of a text, and those that it is told of later."""
        from oneseat.rules.redaction import Redactor, secret_values  # noqa: PLC0415 - quick answers do without

        return Redactor(secret_values(self.env))

    @cached_property
    def policy_files(self) -> PolicyFiles:
        """The policy pack in force and the owner's confirmations; reads them again when they have changed."""
        from oneseat.stores.policy.pack import PolicyFiles  # noqa: PLC0415 - quick answers do without

        return PolicyFiles(self.paths.config_dir)

    @cached_property
    def policy_environment(self) -> PolicyEnvironment:
        """What the policy knows of this machine and of who uses it."""
        from .host.environment import rented_runner  # noqa: PLC0415 - quick answers do without
        from .rules.policy.inputs import PolicyEnvironment  # noqa: PLC0415 - as above

        settings = self.settings
        # Nothing of a simulated run leaves this machine, so tests of one's scripts may run on a rented one.
        rented = settings.simulator_url is None and rented_runner(self.env) is not None
        host = settings.policy_host or ("rented_runner" if rented else "owner_machine")
        return PolicyEnvironment(humans=settings.policy_humans, host=host, plan=settings.policy_plan)

    @cached_property
    def policy_view(self) -> PolicyView:
        """The policy as it is now, for decisions without a ledger. Raises ``usage.bad_policy_pack``."""
        from oneseat.rules.policy.decide import PolicyView  # noqa: PLC0415 - quick answers do without

        book = self.policy_files.read()
        return PolicyView(
            pack=book.pack,
            day=self.policy_day(book.pack),
            confirmations=book.word.confirmations,
            environment=self.policy_environment,
        )

    def policy_day(self, pack: Pack) -> str:
        """The day for which rules and facts are asked, ISO 8601 UTC.

        A simulated run uses the day of the pack, so that a test passes next year as well, or the day it is told.
        """
        from oneseat.host.clock import SystemClock  # noqa: PLC0415 - quick answers do without

        if self.settings.simulator_url is not None:
            return self.settings.simulator_date or pack.meta.as_of
        return SystemClock().utc_iso()[:10]


def new_run_id() -> str:
    """A new run id: 12 hexadecimal digits, short enough to type."""
    return os.urandom(6).hex()
