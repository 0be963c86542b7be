"""Where a simulated run goes instead of to the vendor."""

from __future__ import annotations

from typing import Literal

import msgspec


class Simulator(msgspec.Struct, frozen=True):
    """A loopback simulator and the made-up login to use with it. ``folder`` keeps what its sessions leave behind."""

    url: str
    login: Literal["token", "file", "none"]
    token: str
    folder: str
