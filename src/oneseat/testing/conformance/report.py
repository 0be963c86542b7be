"""The result of a conformance run, one line per check."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "failed", "not offered"]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One check: what it expects of a provider, whether it passed, and if not, what was seen."""

    name: str
    expects: str
    state: State
    problem: str | None = None
    seconds: float = 0.0


class ProviderReport(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of one provider. Its text is a table."""

    provider: str
    checks: tuple[CheckResult, ...]

    @property
    def problems(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.state == "failed")

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return not self.problems

    def __str__(self) -> str:
        width = max((len(check.name) for check in self.checks), default=0)
        lines = [f"{self.provider}: {self._summary()}"]
        for check in self.checks:
            lines.append(
                f"  {check.state:<11}  {check.name:<{width}}  {check.seconds:6.2f} s  {check.expects}"
            )
            if check.problem is not None:
                lines += [f"{'':<13}  {line}" for line in check.problem.splitlines()]
        return "\n".join(lines)

    def _summary(self) -> str:
        counts = {state: sum(check.state == state for check in self.checks) for state in ("ok", "failed")}
        offered = len(self.checks) - counts["ok"] - counts["failed"]
        return f"{counts['ok']} ok, {counts['failed']} failed, {offered} not offered"
