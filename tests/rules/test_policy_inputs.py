"""What the policy is told of how a request came in."""

from __future__ import annotations

import pytest

from oneseat.contract.request import Entry, Request
from oneseat.rules.policy.inputs import PolicyEnvironment, inputs_of
from oneseat.stores.policy.pack import bundled_pack


@pytest.mark.parametrize(
    ("entry", "humans", "secret", "reachable_by"),
    [
        (Entry(), 1, "yes", "owner"),
        (Entry(), 2, "yes", "unknown"),
        (Entry(exposure="unix_socket", client_secret="no", reachable_by="others"), 1, "yes", "owner"),
        (Entry(exposure="loopback"), 1, "unknown", "unknown"),
        (Entry(exposure="loopback", client_secret="yes", reachable_by="owner"), 1, "yes", "owner"),
        (Entry(exposure="lan", client_secret="no", reachable_by="others"), 1, "no", "others"),
    ],
)
def test_an_entry_states_what_the_system_does_not_say(
    entry: Entry, humans: int, secret: str, reachable_by: str
) -> None:
    inputs = inputs_of(
        Request(prompt="hi", cwd="/", entry=entry),
        PolicyEnvironment(humans=humans),
        bundled_pack(),
        "2026-11-20",
    )
    assert (inputs.exposure, inputs.client_secret, inputs.reachable_by) == (
        entry.exposure,
        secret,
        reachable_by,
    )
