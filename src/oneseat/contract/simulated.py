"""What the simulator and a simulated run share: a login token and an API key that open nothing."""

from __future__ import annotations

#: Given to the child instead of the real login when a run goes to a loopback simulator. Shaped like a subscription token, so
#: the official CLI takes the same path as in real life; made up, so it is worthless anywhere else.
SIMULATOR_TOKEN = "sk-ant-oat01-oneseat-simulator-not-a-real-token"  # noqa: S105 - made up on purpose
#: Given to the vendors' SDKs instead of the real key when a run goes to a loopback simulator.
SIMULATOR_KEY = "oneseat-simulator-not-a-real-key"
