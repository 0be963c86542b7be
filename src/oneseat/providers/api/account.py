"""Which key is sent to which endpoint, and the client that sends it."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.facts import KeyFacts, ProviderFeatures
from oneseat.version import __version__

from .chat import Conversation
from .endpoint import Endpoint


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """One vendor's API, or one that many servers implement.

    ``extra`` is the package extra to install and ``module`` the module it provides. ``base_url`` is the vendor's own URL;
    ``simulator_path`` is appended to a simulator's URL. ``header`` contains the key, after ``scheme``. ``most_tokens`` is the
    longest answer under a budget, or for an API that requires a limit: every current model supports it. ``short_names`` are the
    names that the vendor's CLI accepts and its API does not, with the models they stand for.
    """

    name: str
    extra: str
    module: str
    base_url: str | None
    default_model: str | None
    header: str
    scheme: str = ""
    simulator_path: str = ""
    headers: dict[str, str] = {}
    documents: bool = True
    most_tokens: int = 32_000
    short_names: dict[str, str] = {}
    converse: Callable[[Endpoint], Conversation]

    @property
    def features(self) -> ProviderFeatures:
        """What this API supports."""
        return ProviderFeatures(functions=True, schema=True, images=True, documents=self.documents)


class ApiAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a key: its name, where it is stored, and the owner's own base URL, if any.

    ``simulator`` is the URL of a loopback simulator, which never receives a real key.
    """

    key: str
    place: str
    base_url: str | None = None
    simulator: str | None = None
    default_model: str | None = None


class Account:
    """The access to the endpoint of one run or conversation. ``read_key`` is called whenever the billing gate asks."""

    def __init__(self, api: Api, settings: ApiAccount, read_key: Callable[[], str]) -> None:
        self.api = api
        self.settings = settings
        self._read_key = read_key
        self.endpoint = Endpoint(
            self._address(), {"user-agent": f"oneseat/{__version__}", **_JSON, **api.headers}
        )

    @property
    def key(self) -> str | None:
        """The name of the key, for messages; ``None`` when no key is used."""
        return self.settings.key if self.settings.simulator is None else None

    def _address(self) -> str:
        settings = self.settings
        if settings.simulator is not None:
            return settings.simulator.rstrip("/") + self.api.simulator_path
        return settings.base_url or self.api.base_url or ""

    async def facts(self) -> KeyFacts:
        """Read the key and return the facts about it."""
        problem: ErrorInfo | None = None
        # In a conversation of several runs, a key that was removed meanwhile must no longer be used.
        self.endpoint.unlock("", self.api.header, self.api.scheme)
        try:
            key = await asyncio.to_thread(self._read_key)
        except OneseatError as error:
            problem = error.info
        else:
            self.endpoint.unlock(key, self.api.header, self.api.scheme)
        settings = self.settings
        return KeyFacts(
            key=settings.key,
            place=settings.place,
            endpoint=self.endpoint.base_url,
            problem=problem,
            own_endpoint=settings.base_url is not None,
            simulated=settings.simulator is not None,
        )

    def converse(self) -> Conversation:
        """Start a conversation: load the SDK and create its client. Raises ``UsageError`` ``usage.sdk``."""
        try:
            return self.api.converse(self.endpoint)
        except OneseatError:
            raise
        except Exception as error:  # a broken installation can raise anything
            raise _unusable(self.api, f"it cannot be used: {error}") from error


_JSON = {
    "accept": "text/event-stream, application/json",
    "accept-encoding": "gzip, deflate",
    "content-type": "application/json",
}


def check_installed(api: Api) -> None:
    """Raise ``UsageError`` ``usage.sdk`` if the vendor's SDK is not installed. Does not load it."""
    try:
        found = importlib.util.find_spec(api.module) is not None
    except ImportError:
        found = False
    if not found:
        raise _unusable(api, "it is not installed")


def _unusable(api: Api, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.sdk",
            message=f"The SDK of this provider cannot be used: `{api.name}`\n  {why}",
            hint=f"Install it: `pip install 'oneseat[{api.extra}]'`",
        )
    )
