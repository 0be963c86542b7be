"""The simulator's address, and the made-up token and API key of simulated runs."""

from __future__ import annotations

from typing import Literal

import msgspec

#: Replaces the real login in a simulated run. It has the form of a subscription token, so the official CLI takes the same code
#: path; it is made up, so it is worthless anywhere else.
SIMULATOR_TOKEN = "sk-ant-oat01-oneseat-simulator-not-a-real-token"  # noqa: S105 - made up on purpose
#: Replaces the real API key in a simulated run.
SIMULATOR_KEY = "oneseat-simulator-not-a-real-key"


class Simulator(msgspec.Struct, frozen=True):
    """A loopback simulator and its made-up login. ``folder`` holds the transcripts of simulated sessions."""

    url: str
    login: Literal["token", "file", "none"]
    token: str
    folder: str
