"""Public checks that every provider must pass, run against the simulator."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

from oneseat.contract.facts import ProviderFeatures
from oneseat.testing.simulator import Simulator

from . import answers, faults, functions
from .bench import Bench, CheckFailedError, Make
from .report import CheckResult, ProviderReport

__all__ = ["PROVIDER_CHECKS", "CheckResult", "ProviderReport", "check_provider"]


class _Check(NamedTuple):
    run: Callable[[Bench], Awaitable[None]]
    #: The feature that a provider needs for this check; ``None`` for none.
    needs: str | None = None

    @property
    def name(self) -> str:
        return getattr(self.run, "__name__", "").replace("_", " ")

    @property
    def expects(self) -> str:
        return (self.run.__doc__ or "").strip()


_CHECKS = (
    _Check(answers.facts_come_before_sending),
    _Check(faults.an_opened_provider_can_be_left),
    _Check(answers.one_end_and_every_piece_once),
    _Check(answers.events_come_in_order),
    _Check(answers.everything_is_counted),
    _Check(answers.text_stays_text),
    _Check(answers.instructions_are_sent),
    _Check(answers.files_are_sent),
    _Check(answers.pictures_are_sent, "images"),
    _Check(answers.documents_are_sent, "documents"),
    _Check(answers.a_structure_fits_its_schema, "schema"),
    _Check(answers.a_second_message_follows_the_first),
    _Check(answers.a_held_conversation_goes_on),
    _Check(answers.nothing_is_printed_beside),
    _Check(functions.a_function_is_called, "functions"),
    _Check(functions.an_error_is_told_to_the_model, "functions"),
    _Check(functions.calls_of_one_answer_go_together, "functions"),
    _Check(functions.calls_end_with_the_caller, "functions"),
    _Check(faults.every_failure_has_its_code),
    _Check(faults.an_empty_answer_is_no_success),
    _Check(faults.what_came_is_kept),
    _Check(faults.an_interrupt_ends_the_turn),
    _Check(faults.a_caller_who_leaves_leaves_nothing),
)


#: The name of every check and what it expects of a provider.
PROVIDER_CHECKS: dict[str, str] = {check.name: check.expects for check in _CHECKS}


async def check_provider(
    make: Make, *, only: Collection[str] = (), limit_s: float = 30.0, cwd: str | None = None
) -> ProviderReport:
    """Check everything that the engine expects of a provider, against a simulator of the vendors' APIs.

    ``make`` takes the URL of a simulator scenario and returns a provider that sends all requests there. ``only`` names some of
    ``PROVIDER_CHECKS``, all by default; ``limit_s`` bounds each prompt in seconds; ``cwd`` is the directory of the runs, an empty
    one by default. Never raises: failed checks are in the report, whose text is a table.

        report = asyncio.run(check_provider(lambda url: MyProvider(url)))
        assert report.ok, str(report)
    """
    with Simulator() as simulator, tempfile.TemporaryDirectory(prefix="oneseat-conformance-") as empty:
        provider = make(simulator.url())
        done = []
        for check in _CHECKS:
            if not only or check.name in only:
                bench = Bench(make, simulator, re.sub(r"\W", "-", check.name), cwd or empty, limit_s)
                done.append(await _checked(check, bench, provider.features))
        return ProviderReport(provider=provider.name, checks=tuple(done))


async def _checked(check: _Check, bench: Bench, features: ProviderFeatures) -> CheckResult:
    if check.needs is not None and not getattr(features, check.needs):
        return CheckResult(name=check.name, expects=check.expects, state="not offered")
    began = time.monotonic()
    problem: str | None = None
    try:
        await check.run(bench)
    except CheckFailedError as failed:
        problem = str(failed)
    except TimeoutError:
        problem = "it timed out"
    except Exception as error:  # noqa: BLE001 - whatever a provider raises is a finding
        problem = f"it raised {type(error).__name__}: {error}"
    return CheckResult(
        name=check.name,
        expects=check.expects,
        state="ok" if problem is None else "failed",
        problem=problem,
        seconds=round(time.monotonic() - began, 3),
    )
