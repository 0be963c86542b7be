"""The messages of policy decisions: the rule, its inputs, its source, and what the owner can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.policy import InputName, PackState
from oneseat.contract.policy_pack import Pack, Rule

#: What to do about rules that expire.
RENEW = "Update oneseat, or get a newer pack, and take it: `oneseat policy update` or `oneseat policy update FILE`"


class JobClass(NamedTuple):
    """The project and the client of a piece of work, if any: a confirmation is valid for these only."""

    project: str | None = None
    client: str | None = None


def policy_error(
    rule: Rule, because: Mapping[InputName, str | int | None], pack: Pack, of: JobClass
) -> ErrorInfo:
    """The error of a request that the plan may not serve, or that is in doubt."""
    seen = ", ".join(f"{name} = {_printed(value)}" for name, value in because.items())
    why = (
        f"rule {rule.id}: {rule.reason}\n"
        f"  {source_of(rule, pack)}, read {rule.as_of}; pack {pack.meta.pack_version}"
    )
    if rule.tier == "RED":
        return ErrorInfo(
            code="policy.red",
            message=f"The plan may not serve this request: `{seen}`\n  {why}",
            hint=f"Once this is resolved, confirm it: `{confirm_command(rule, because, of)}`"
            if "account_state" in because
            else f"Read the rule: `oneseat policy show {rule.id}`",
        )
    if because.get("pack_state") == "hard_stale":
        return ErrorInfo(
            code="policy.grey",
            message=f"The policy rules have expired, so it is not certain that the plan may serve this request: `{seen}`\n  {why}",
            hint=RENEW,
        )
    return ErrorInfo(
        code="policy.grey",
        message=f"It is not certain that the plan may serve this request: `{seen}`\n  {why}",
        hint=f"If you are certain, confirm such work in writing: `{confirm_command(rule, because, of)}`",
    )


def confirm_command(rule: Rule, because: Mapping[InputName, str | int | None], of: JobClass) -> str:
    """The command that confirms this class of work."""
    words = [f"{name}={_printed(value)}" for name, value in because.items()]
    options = [
        *(("--project", of.project) if of.project is not None else ()),
        *(("--client", of.client) if of.client is not None else ()),
    ]
    return " ".join(["oneseat policy confirm", rule.id, *words, *options])


def staleness_notice(pack: Pack, state: PackState, *, soon: bool) -> str | None:
    """The notice about a pack whose review is due, or that expires ``soon``; ``None`` while it is fresh."""
    meta = pack.meta
    if state == "fresh" and not soon:
        return None
    if state != "hard_stale":
        return (
            f"The policy rules expire on {meta.hard_stale_after}, and allow nothing from then on: pack {meta.pack_version}, "
            f"to be reviewed on {meta.review_after}"
        )
    return f"The policy rules expired on {meta.hard_stale_after} and allow nothing: pack {meta.pack_version}"


def source_of(rule: Rule, pack: Pack) -> str:
    """The URL of a rule's first source."""
    # Decode as plain data: loading the types would slow every run.
    sources: list[dict[str, str]] = msgspec.json.decode(pack.sources)
    return next(each["url"] for each in sources if each["id"] == rule.source_ids[0])


def _printed(value: str | int | None) -> str:
    return "unknown" if value is None else str(value)
