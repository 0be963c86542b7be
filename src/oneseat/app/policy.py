"""The policy: show it, explain a decision, install another pack, and confirm work in writing that a rule leaves open."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.policy import InputName, PolicyInputs
from oneseat.contract.policy_catalogue import Sections
from oneseat.contract.policy_pack import Confirmation, Installed, OwnerOverrides, Pack
from oneseat.contract.reports.policy import (
    SECTIONS,
    ConfirmationList,
    ConfirmationReport,
    PackReport,
    PackStamp,
    PolicyExplanation,
    PolicyReport,
    Revoked,
    RuleReport,
)
from oneseat.contract.request import Request
from oneseat.host.clock import SystemClock
from oneseat.host.environment import nesting_depth
from oneseat.host.paths import home_error
from oneseat.installation import Installation
from oneseat.rules.policy.decide import Decision, PolicyView, job_class, judge
from oneseat.rules.policy.inputs import AT_THE_GATE, inputs_of, pack_state
from oneseat.rules.policy.messages import confirm_command
from oneseat.rules.policy.packs import (
    confirmation_error,
    describe_rule,
    differences,
    pack_errors,
    schema_errors,
    vocabulary,
)
from oneseat.stores.policy.catalogue import pack_schema, whole
from oneseat.stores.policy.pack import (
    PolicyFiles,
    bad_pack,
    bundled_data,
    bundled_pack,
    decoded,
    digest,
    read_candidate,
)

__all__ = [
    "check_newer",
    "check_pack",
    "confirm",
    "confirmations",
    "describe_rule",
    "explain",
    "find_rule",
    "missing_words",
    "read_policy",
    "revoke",
    "take_pack",
]

#: One or two words are no reason.
_LEAST_LETTERS = 12


def read_policy(here: Installation) -> PolicyReport:
    """Everything that is in force today.

    Raises ``UsageError``: ``usage.bad_policy_pack``, and those of the settings.
    """
    book = here.policy_files.read()
    pack, rest = book.pack, _catalogue(book.pack)
    day = here.policy_view.day
    return PolicyReport(
        meta=pack.meta,
        bundled=book.bundled,
        day=day,
        state=pack_state(pack, day),
        installed=book.word.installed,
        rules=pack.rules,
        plans=rest.plans,
        facts=rest.facts,
        windows=rest.windows,
        routes=pack.billing_routes,
        prices=rest.prices,
        thresholds=pack.thresholds,
        precedence=rest.auth_precedence,
        variables=rest.env_policy,
        signals=rest.signals,
        errors=rest.error_patterns,
        sources=rest.sources,
        watch=rest.watch,
    )


def find_rule(here: Installation, name: str) -> RuleReport:
    """A rule of the pack in force by its id. Raises ``UsageError``: ``usage.arguments``, and like ``read_policy``."""
    pack = here.policy_files.read().pack
    for rule in pack.rules:
        if rule.id.lower() == name.lower():
            sources = tuple(each for each in _catalogue(pack).sources if each.id in rule.source_ids)
            return RuleReport(**msgspec.structs.asdict(rule), sources=sources)
    raise UsageError(
        ErrorInfo(
            code="usage.arguments",
            message=f"No such rule or section: `{name}`\n  sections are {', '.join(SECTIONS)}",
            hint="See the rules: `oneseat policy show`",
        )
    )


def explain(
    here: Installation, request: Request, stated: Mapping[str, str] | None = None, *, day: str | None = None
) -> PolicyExplanation:
    """What the policy says of a request, as things are now; ``stated`` are other inputs, ``day`` is another day (ISO 8601).

    Raises ``UsageError``: ``usage.bad_job_class`` for an input or a word that does not exist, and those of the settings.
    """
    view = msgspec.structs.replace(here.policy_view, day=day or here.policy_view.day)
    inputs = inputs_of(request, view.environment, view.pack, view.day, view.confirmations)
    given = _values(stated or {})
    later = tuple(sorted(AT_THE_GATE - given.keys() - ({"plan"} if view.environment.plan else set())))
    decision = judge(msgspec.structs.replace(inputs, **given), view, job_class(request), frozenset(later))
    return _explained(decision, view, request, later)


def check_pack(here: Installation, path: Path | None) -> PackReport:
    """A pack that could be installed, the bundled one without a ``path``, and what it says otherwise than the one in force.

    Raises ``UsageError`` ``usage.bad_policy_pack`` for a file that is none, or that allows what no pack may.
    """
    pack = bundled_pack() if path is None else _checked(read_candidate(path), path)
    return PackReport(meta=pack.meta, differences=tuple(differences(_in_force(here.policy_files), pack)))


def check_newer(here: Installation) -> None:
    """Raise ``UsageError`` ``usage.no_newer_pack`` when the bundled pack is not newer than the one in force."""
    now, bundled = _in_force(here.policy_files).meta, bundled_pack().meta
    if bundled.as_of <= now.as_of:
        raise UsageError(
            ErrorInfo(
                code="usage.no_newer_pack",
                message=f"This oneseat brings no newer rules than those in force: `{now.pack_version}`\n"
                f"  they allow runs on the plan until {now.hard_stale_after}",
                hint="Update oneseat and run this again, or name a file: `oneseat policy update FILE`",
            )
        )


def take_pack(here: Installation, path: Path | None, confirmation: str | None = None) -> PackReport:
    """Put a pack in force, the bundled one without a ``path``. What loosens a rule needs the owner's ``confirmation``.

    Raises ``UsageError``: ``usage.bad_policy_pack``, ``usage.pack_loosens``, ``usage.not_confirmed``, and where the folder
    cannot be written. The old pack stays in force then.
    """
    files = here.policy_files
    data = bundled_data() if path is None else read_candidate(path)
    pack = bundled_pack() if path is None else _checked(data, path)
    found = differences(_in_force(files), pack)
    looser = tuple(each.what for each in found if each.effect == "looser")
    if looser and confirmation is None:
        raise _loosens(looser, path)
    if confirmation is not None:
        _check_words(here, confirmation)
    installed = Installed(
        sha256=digest(data),
        pack=pack.meta.pack_version,
        at=SystemClock().utc_iso(),
        loosens=looser,
        text=confirmation,
    )
    word = msgspec.structs.replace(_word(files), installed=None if path is None else installed)
    _write(here, lambda: files.install(None if path is None else data, word))
    return PackReport(meta=pack.meta, differences=tuple(found))


def confirmations(here: Installation) -> ConfirmationList:
    """What the owner has confirmed. Raises ``UsageError`` ``usage.bad_policy_pack``."""
    book = here.policy_files.read()
    return ConfirmationList(
        confirmations=tuple(_reported(said, book.pack) for said in book.word.confirmations)
    )


def confirm(
    here: Installation,
    rule_id: str,
    stated: Mapping[str, str],
    text: str,
    *,
    project: str | None = None,
    client: str | None = None,
) -> ConfirmationReport:
    """Write down that the plan may do a class of work that a GREY rule doubts; it counts until that rule changes.

    ``stated`` are the inputs the rule doubts. Raises ``UsageError``: ``usage.bad_job_class`` for work that cannot be
    confirmed, ``usage.not_confirmed`` for words that are none or come from inside of a run.
    """
    files = here.policy_files
    book = files.read()
    rule = next((each for each in book.pack.rules if each.id == rule_id), None)
    because = _values(stated)
    why = "there is no such rule" if rule is None else confirmation_error(rule, because)
    if rule is None or why is not None:
        raise _bad_class(" ".join([rule_id, *(f"{name}={value}" for name, value in stated.items())]), why)
    _check_words(here, text)
    said = Confirmation(
        id=secrets.token_hex(4),
        rule=rule,
        because=because,
        project=project,
        client=client,
        text=text.strip(),
        at=SystemClock().utc_iso(),
        pack=book.pack.meta.pack_version,
    )
    word = msgspec.structs.replace(book.word, confirmations=(*book.word.confirmations, said))
    _write(here, lambda: files.keep(word))
    return _reported(said, book.pack)


def revoke(here: Installation, confirmation_id: str) -> Revoked:
    """Take a confirmation back. Raises ``UsageError`` ``usage.bad_job_class`` when there is none with this id."""
    files = here.policy_files
    word = files.read().word
    said = next((each for each in word.confirmations if each.id == confirmation_id), None)
    if said is None:
        raise UsageError(
            ErrorInfo(
                code="usage.bad_job_class",
                message=f"No such confirmation: `{confirmation_id}`",
                hint="See them all: `oneseat policy confirm --list`",
            )
        )
    kept = tuple(each for each in word.confirmations if each is not said)
    _write(here, lambda: files.keep(msgspec.structs.replace(word, confirmations=kept)))
    return Revoked(revoked=said.id)


def missing_words(text: str) -> str | None:
    """Why a text is no confirmation; ``None`` when it is one."""
    if sum(map(str.isalpha, text)) < _LEAST_LETTERS or not text.isprintable():
        return f"state in your own words why the plan may do this, on one line of at least {_LEAST_LETTERS} letters"
    return None


def _explained(
    decision: Decision, view: PolicyView, request: Request, later: tuple[InputName, ...]
) -> PolicyExplanation:
    rule, meta, of = decision.rule, view.pack.meta, job_class(request)
    sources = {source.id: source for source in _catalogue(view.pack).sources}
    refused = "plan" not in decision.paid_from
    confirmable = refused and confirmation_error(rule, decision.because) is None
    return PolicyExplanation(
        tier=rule.tier,
        rule=rule.id,
        action=rule.action,
        reason=rule.reason,
        basis=rule.basis,
        confidence=rule.confidence,
        as_of=rule.as_of,
        paid_from=tuple(sorted(decision.paid_from)),
        because=dict(decision.because),
        inputs=decision.inputs.named(),
        at_the_gate=later,
        sources=tuple(sources[one] for one in rule.source_ids),
        pack=PackStamp(version=meta.pack_version, as_of=meta.as_of, state=pack_state(view.pack, view.day)),
        day=view.day,
        confirmed=decision.confirmed,
        confirm_with=confirm_command(rule, decision.because, of) if confirmable else None,
    )


def _catalogue(pack: Pack) -> Sections:
    """The parts of a pack that no run reads. Raises ``UsageError`` ``usage.bad_policy_pack``."""
    return whole(pack, Path("the pack in force"))


def _reported(said: Confirmation, pack: Pack) -> ConfirmationReport:
    return ConfirmationReport(
        id=said.id,
        rule=said.rule.id,
        because=said.because,
        project=said.project,
        client=said.client,
        text=said.text,
        at=said.at,
        pack=said.pack,
        counts=said.rule in pack.rules,
    )


def _in_force(files: PolicyFiles) -> Pack:
    """The pack to compare with. Where the installed one cannot be read, the bundled one is what is known."""
    try:
        return files.read().pack
    except UsageError:
        return bundled_pack()


def _word(files: PolicyFiles) -> OwnerOverrides:
    try:
        return files.read().word
    except UsageError:
        return files.word()


def _checked(data: bytes, path: Path) -> Pack:
    wrong = schema_errors(decoded(data, path, Any), pack_schema())
    if not wrong:
        pack = decoded(data, path, Pack)
        wrong = pack_errors(pack, whole(pack, path), SystemClock().utc_iso()[:10])
    if wrong:
        more = f"\n  and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise bad_pack(path, "\n  ".join(wrong[:5]) + more)
    return pack


def _values(stated: Mapping[str, str]) -> dict[InputName, Any]:
    """Inputs in words as what they are. Raises ``UsageError`` ``usage.bad_job_class`` for one that does not exist."""
    found: dict[Any, Any] = {}
    for name, value in stated.items():
        if name not in PolicyInputs.__struct_fields__:
            known = ", ".join(PolicyInputs.__struct_fields__)
            raise _bad_class(f"{name}={value}", f"no such input; known inputs are {known}")
        words = vocabulary(name)  # type: ignore[arg-type]
        if words is not None and value not in words:
            raise _bad_class(f"{name}={value}", f"it must be one of {', '.join(words)}")
        found[name] = value if words is not None else _number(name, value)
    return found


def _number(name: str, value: str) -> int | None:
    if value == "unknown":
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise _bad_class(f"{name}={value}", "it must be a whole number or `unknown`")
    return int(value)


def _check_words(here: Installation, text: str) -> None:
    if nesting_depth(here.env) > 0:
        # Whatever a model writes in a run of the seat is not its owner's word.
        raise _not_confirmed("this command was started inside a run; only the owner can confirm")
    why = missing_words(text)
    if why is not None:
        raise _not_confirmed(why)


def _write(here: Installation, write: Callable[[], None]) -> None:
    here.paths.ensure()
    try:
        write()
    except OSError as error:
        raise home_error(error, here.paths.config_dir) from None


def _bad_class(what: str, why: str | None) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.bad_job_class",
            message=f"This cannot be confirmed or asked: `{what}`\n  {why}",
            hint="See the decision and the command that confirms it: `oneseat policy explain`",
        )
    )


def _not_confirmed(why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.not_confirmed",
            message=f"Nothing was confirmed\n  {why}",
            hint='Run it yourself in a terminal: `--i-confirm "..."`',
        )
    )


def _loosens(looser: Sequence[str], path: Path | None) -> UsageError:
    which = "--bundled" if path is None else shlex.quote(str(path))
    return UsageError(
        ErrorInfo(
            code="usage.pack_loosens",
            message=f"This pack allows more than the current one and was not installed: `{', '.join(looser)}`\n"
            "  read its sources, then confirm it in your own words",
            hint=f'Install it and give your reason: `oneseat policy update {which} --i-confirm "..."`',
        )
    )
