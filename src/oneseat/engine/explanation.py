"""Who would serve a request now, and why not the others. Nothing is started, sent or spent."""

from __future__ import annotations

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.request import Permitted, Refused, Request
from oneseat.contract.routing import Candidate, CandidateReport, RouteReport
from oneseat.rules import routing
from oneseat.rules.budget import input_tokens
from oneseat.rules.policy import decide as policy

from .parts import Parts
from .room import room_for
from .spending import used_up
from .standing import look, model_of


async def explain(parts: Parts, request: Request) -> RouteReport:
    """Raises ``OneseatError`` for a role, key or provider that is not there, and for a ledger that cannot be read."""
    permitted = policy.decide(request, await parts.counsel.view(parts.provider))
    if isinstance(permitted, Refused):
        raise OneseatError(permitted.error)
    wanted = routing.candidates(request, parts.routes)
    if isinstance(wanted, ErrorInfo):
        raise OneseatError(wanted)
    found = [await _report(parts, candidate, permitted, alone=len(wanted) == 1) for candidate in wanted]
    failures = [(candidate, error) for candidate, (_, error) in zip(wanted, found, strict=True) if error]
    reports = tuple(report for report, _ in found)
    chosen = next((report.candidate for report in reports if report.serves), None)
    return RouteReport(
        chosen=chosen,
        role=request.role,
        tier=permitted.policy.tier,
        rule=permitted.policy.rule,
        pack=permitted.policy.pack,
        needs=tuple(routing.needs(request)),
        prompt_tokens=input_tokens(request),
        candidates=reports,
        error=routing.nobody(failures) if chosen is None else None,
    )


async def _report(
    parts: Parts, candidate: Candidate, permitted: Permitted, *, alone: bool
) -> tuple[CandidateReport, ErrorInfo | None]:
    looked = await look(parts, candidate, permitted, alone=alone)
    error, model = looked.error, candidate.model or permitted.request.model
    if error is None and looked.provider is not None:
        asked = msgspec.structs.replace(permitted.request, model=model)
        room = await room_for(parts.room, msgspec.structs.replace(permitted, request=asked), looked.provider)
        error = (
            room.error
            if isinstance(room, Refused)
            else await used_up(parts.purse, looked.provider.wallet, asked, candidate)
        )
    passed = routing.passed_over(candidate, error, parts.room.now()) if error is not None else None
    report = CandidateReport(
        candidate=candidate.label,
        provider=candidate.provider,
        model=model if looked.provider is None else model_of(candidate, looked.provider, permitted.request),
        paid_from=candidate.paid_from,
        key=candidate.key,
        serves=error is None,
        code=passed.code if passed is not None else None,
        why=passed.why if passed is not None else None,
        until=passed.until if passed is not None else None,
    )
    return report, error
