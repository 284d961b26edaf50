"""Requests: whether the rules let one be acted on, who approved it, and how far it got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from credenza.core.errors import CredenzaError, ForbiddenError, UsageError
from credenza.core.prefix import beginning
from credenza.gate.governance.interests import thing_of
from credenza.gate.governance.rules import Rules
from credenza.gate.governance.statements import Request, Signed, instant

if TYPE_CHECKING:
    from credenza.gate.governance.charter import Charter
    from credenza.gate.governance.rules import Thing
    from credenza.gate.stores import Stores


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules make of a request.

    Attributes:
        requester: who asks.
        approvers: members whose approval counts, each another person with another key.
        eligible: members whose approval would count.
        void: approvals that do not count, each with the reason.
        needed: how many approvals would do; None when no number does.
        rules: the rules that decided.
        errors: rules that failed, which denies.
    """

    requester: str
    approvers: tuple[str, ...]
    eligible: tuple[str, ...]
    void: tuple[str, ...]
    allowed: bool
    needed: int | None
    rules: tuple[str, ...]
    errors: tuple[str, ...]


def judge(stores: Stores, known: Charter, signed: Signed, time_s: int) -> Judgement:
    """Whether a request may be acted on now.

    Approvals are counted by person *and* by key material; those of former members, of the
    requester and of owners do not count, whatever the rules say of the latter. Blind to one
    person who was registered twice, which is why a change of members takes two people.

    Raises:
        ForbiddenError: the requester is no member.
        UsageError: the request is void: used, expired, or made under other rules.
    """
    request = cast("Request", signed.request)
    requester = known.signer(signed)
    _check_alive(known, signed, time_s, stores.journal.ledger.origin)
    rules, thing = Rules(known.rules), thing_of(stores, known, request)
    counted: dict[str, str] = {}
    void: list[str] = []
    for approval in known.approvals.get(signed.digest, []):
        try:
            name = known.signer(approval)
            check_approver(known, rules, thing, request.action, requester, name)
            if name in counted or approval.keyid in (signed.keyid, *counted.values()):
                raise _counted_already(name)
        except ForbiddenError as wrong:
            void.append(wrong.what)
        else:
            counted[name] = approval.keyid
    ruling = rules.may_do(requester, request.action, thing, known.roles, len(counted))
    return Judgement(
        requester,
        tuple(counted),
        tuple(
            name
            for name in known.active
            if name not in {requester, *counted}
            and rules.may_approve(name, request.action, thing, known.roles, requester).allowed
        ),
        tuple(void),
        ruling.allowed,
        rules.approvals_needed(requester, request.action, thing, known.roles),
        ruling.rules,
        ruling.errors,
    )


def check_approver(  # noqa: PLR0917 - who, what and under which rules
    known: Charter, rules: Rules, thing: Thing, action: str, requester: str, name: str
) -> None:
    """See that a member's approval counts.

    Raises:
        ForbiddenError: it does not.
    """
    ruling = rules.may_approve(name, action, thing, known.roles, requester)
    if name == requester or not ruling.allowed:
        told = "; ".join((*ruling.errors, *ruling.rules)) or "no rule permits it"
        raise ForbiddenError(
            "may-not-approve",
            f"{name} may not approve {action} of {thing.name[:64]} for {requester}",
            why=told if name != requester else "nobody approves their own request",
            fix="ask another member: `credenza governance show` says who may",
        )


def _check_alive(known: Charter, signed: Signed, time_s: int, origin: str) -> None:
    request = cast("Request", signed.request)
    rules = Rules(known.rules).digest
    reasons = (
        (signed.digest in known.used, "it was acted on already"),
        (request.origin != origin, "it is for another ledger"),
        (request.expires <= instant(time_s), f"it expired at {request.expires}"),
        (request.size > known.size, "it speaks of a ledger longer than this one"),
        (request.rules != rules, "the rules of governance were changed since"),
        (request.policy != known.policy_digest, "the policy was changed since"),
    )
    for applies, why in reasons:
        if applies:
            raise UsageError(
                "void-request",
                f"request {signed.digest[:16]} is void",
                why=why,
                fix="ask again with `--as KEY`",
            )


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and how far it got.

    Attributes:
        standing: "open", "approved", "done" or "void".
        judgement: None once it is done or void.
        why: it is void.
    """

    digest: str
    request: Request
    requester: str
    standing: str
    judgement: Judgement | None
    why: str = ""


def asked(stores: Stores, known: Charter, signed: Signed, time_s: int) -> Asked:
    """How far a request got."""
    request = cast("Request", signed.request)
    requester = known.owners[signed.keyid]
    if signed.digest in known.used:
        return Asked(signed.digest, request, requester, "done", None)
    try:
        judgement = judge(stores, known, signed, time_s)
    except CredenzaError as wrong:
        return Asked(signed.digest, request, requester, "void", None, wrong.why)
    standing = "approved" if judgement.allowed else "open"
    return Asked(signed.digest, request, requester, standing, judgement)


def request_named(known: Charter, prefix: str) -> Signed:
    """The request whose digest begins with ``prefix``.

    Raises:
        NotFoundError: none does, or several.
    """
    fix = "run `credenza request list`"
    return known.requests[beginning(prefix, known.requests, "request", fix=fix)]


def _counted_already(name: str) -> ForbiddenError:
    return ForbiddenError(
        "counted-already",
        f"{name} has approved it already",
        why="each member counts once",
        fix="let another member approve it",
    )
