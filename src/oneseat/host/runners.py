"""Whether this machine is one that is rented by the minute, as the services for continuous integration do."""

from __future__ import annotations

from collections.abc import Mapping

#: Variables that such services set, and nobody else. `CI` alone is set by many programs on one's own machine.
RUNNER_VARIABLES = (
    "APPVEYOR",
    "BITBUCKET_BUILD_NUMBER",
    "BUILDKITE",
    "CIRCLECI",
    "CIRRUS_CI",
    "CODEBUILD_BUILD_ID",
    "DRONE",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "SEMAPHORE",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "TRAVIS",
)


def rented_runner(env: Mapping[str, str]) -> str | None:
    """The variable that gives such a machine away; ``None`` on any other one."""
    return next(
        (name for name in RUNNER_VARIABLES if env.get(name, "").lower() not in {"", "false", "0"}), None
    )
