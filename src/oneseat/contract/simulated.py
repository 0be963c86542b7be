"""What the simulator and a simulated run share: where it is, a login token and an API key that open nothing."""

from __future__ import annotations

from typing import Literal

import msgspec

#: Given to the child instead of the real login when a run goes to a loopback simulator. Shaped like a subscription token, so
#: the official CLI takes the same path as in real life; made up, so it is worthless anywhere else.
SIMULATOR_TOKEN = "sk-ant-oat01-oneseat-simulator-not-a-real-token"  # noqa: S105 - made up on purpose
#: Given to the vendors' SDKs instead of the real key when a run goes to a loopback simulator.
SIMULATOR_KEY = "oneseat-simulator-not-a-real-key"


class Simulator(msgspec.Struct, frozen=True):
    """A loopback simulator and the made-up login to use with it. ``folder`` keeps what its sessions leave behind."""

    url: str
    login: Literal["token", "file", "none"]
    token: str
    folder: str
