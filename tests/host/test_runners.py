"""Rented machines are known by what their services set."""

from __future__ import annotations

from oneseat.host.environment import rented_runner


def test_a_rented_machine_gives_itself_away() -> None:
    assert rented_runner({"GITHUB_ACTIONS": "true", "CI": "true"}) == "GITHUB_ACTIONS"
    assert rented_runner({"JENKINS_URL": "https://ci.example"}) == "JENKINS_URL"


def test_ones_own_machine_is_none() -> None:
    assert rented_runner({}) is None
    # Set by many programs on any machine.
    assert rented_runner({"CI": "true"}) is None
    assert rented_runner({"GITHUB_ACTIONS": "false", "TF_BUILD": ""}) is None
