"""Which key is sent where, and the way there."""

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
    """One vendor's API, or one that many servers speak.

    ``extra`` is what is installed for it and ``module`` what that brings. ``base_url`` is the vendor's own address;
    ``simulator_path`` is what a simulator's address needs behind it. ``header`` carries the key, behind ``scheme``.
    ``most_tokens`` is how long an answer may be that a budget bounds, or an API that wants a bound: every model of today can.
    ``short_names`` are those that the vendor's own program takes and its API does not, with what they stand for.
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
        """What it can be asked for."""
        return ProviderFeatures(functions=True, schema=True, images=True, documents=self.documents)


class ApiAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say: the name of the key, where it lies, and the owner's own address, if any.

    ``simulator`` is the address of a loopback simulator, to which no real key goes.
    """

    key: str
    place: str
    base_url: str | None = None
    simulator: str | None = None
    default_model: str | None = None


class Account:
    """One run's or one conversation's way to the endpoint. ``read_key`` is called whenever the billing gate asks."""

    def __init__(self, api: Api, settings: ApiAccount, read_key: Callable[[], str]) -> None:
        self.api = api
        self.settings = settings
        self._read_key = read_key
        self.endpoint = Endpoint(
            self._address(), {"user-agent": f"oneseat/{__version__}", **_JSON, **api.headers}
        )

    @property
    def key(self) -> str | None:
        """The name of the key that a message may speak of; ``None`` where there is none to speak of."""
        return self.settings.key if self.settings.simulator is None else None

    def _address(self) -> str:
        settings = self.settings
        if settings.simulator is not None:
            return settings.simulator.rstrip("/") + self.api.simulator_path
        return settings.base_url or self.api.base_url or ""

    async def facts(self) -> KeyFacts:
        """Read the key, and say what is known of it."""
        problem: ErrorInfo | None = None
        # In a conversation of several runs, a key that was taken away meanwhile is not used any more.
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
        """Begin a conversation: load the SDK and make its client. Raises ``UsageError`` ``usage.sdk``."""
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
    """Raises ``UsageError`` ``usage.sdk`` when the vendor's SDK is not there. Does not load it."""
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
