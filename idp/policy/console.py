"""Access control of the console: roles, and what each action requires (N72, N74).

Pure functions. Console roles are the gateway's own role groups, held for the operator's own
organization.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

#: The participant of the gateway's operators.
OPERATOR = "IESO"


class ConsoleRole(StrEnum):
    """Roles of operators; the values are the names of the role groups."""

    AGENT = "Gateway Customer Relations"
    ACCESS = "Gateway Access Management"
    AUDITOR = "Gateway Auditor"


AGENT, ACCESS, AUDITOR = ConsoleRole.AGENT, ConsoleRole.ACCESS, ConsoleRole.AUDITOR
ANY = frozenset(ConsoleRole)


class Fact(StrEnum):
    """Facts that a caller can be asked for (CR-01, CR-02)."""

    USERNAME = "username"
    EMAIL = "email"
    PERSON_ID = "person_id"
    ORGANIZATION = "organization"
    CALLBACK = "callback"


#: Facts that identify the account; one is required (CR-01).
NAMING = frozenset((Fact.USERNAME, Fact.EMAIL))
NEEDED_BESIDES = 2


def is_verified(facts: Collection[str], *, code_confirmed: bool) -> bool:
    """Whether the caller is verified: one fact identifies the account and two more match, or the
    caller read back a code sent to a registered address."""
    known = {Fact(fact) for fact in facts if fact in list(Fact)}
    named = known & NAMING
    return code_confirmed or bool(named and len(known) - 1 >= NEEDED_BESIDES)


@dataclass(frozen=True)
class Action:
    """An action of an operator on an account."""

    roles: frozenset[ConsoleRole]
    #: The account states in which the action applies.
    states: frozenset[str]


_OPEN = frozenset(("pending", "active", "reset_required"))
_HELP = frozenset((AGENT, ACCESS))


class ConsoleAction(StrEnum):
    """Actions of operators on accounts; the values appear in URLs and in the audit trail."""

    RESET_MAIL = "reset-mail"
    TEMPORARY_PASSWORD = "temporary-password"  # noqa: S105 - the name of an action
    UNLOCK = "unlock"
    RESEND_ACTIVATION = "resend-activation"
    RESET_FACTORS = "reset-factors"
    END_SESSIONS = "end-sessions"
    LOCK = "lock"
    SUSPEND = "suspend"
    RESTORE = "restore"
    DEACTIVATE = "deactivate"


ACTIONS: Mapping[str, Action] = {
    ConsoleAction.RESET_MAIL: Action(_HELP, frozenset(("active", "reset_required"))),
    ConsoleAction.TEMPORARY_PASSWORD: Action(_HELP, _OPEN),
    ConsoleAction.UNLOCK: Action(
        _HELP, frozenset(("pending", "active", "reset_required", "locked"))
    ),
    ConsoleAction.RESEND_ACTIVATION: Action(_HELP, frozenset(("pending",))),
    ConsoleAction.RESET_FACTORS: Action(_HELP, frozenset(("active", "reset_required"))),
    ConsoleAction.END_SESSIONS: Action(_HELP, frozenset(("active", "reset_required"))),
    ConsoleAction.LOCK: Action(_HELP, _OPEN),
    ConsoleAction.SUSPEND: Action(_HELP, _OPEN | {"locked"}),
    ConsoleAction.RESTORE: Action(_HELP, frozenset(("suspended",))),
    ConsoleAction.DEACTIVATE: Action(frozenset((ACCESS,)), _OPEN | {"locked", "suspended"}),
}


#: Actions that end nothing and are easily undone.
HARMLESS = frozenset((ConsoleAction.UNLOCK, ConsoleAction.RESTORE, ConsoleAction.RESEND_ACTIVATION))


class ActReason(StrEnum):
    """Why an operator orders an act, as the audit trail keeps it (TM-14, PR-04)."""

    REQUEST_OF_HOLDER = "request_of_holder"
    REQUEST_OF_PARTICIPANT = "request_of_participant"
    COMPROMISE = "compromise"
    LEFT_ORGANIZATION = "left_organization"
    CHANGE_OF_DUTIES = "change_of_duties"
    SUPERSEDED = "superseded"
    CORRECTION = "correction"
    MAINTENANCE = "maintenance"
    OTHER = "other"


MAX_DETAILS, MAX_TICKET = 500, 60


def needs_caller_verification(actor: Collection[ConsoleRole]) -> bool:
    """Customer Relations acts for a caller, who must be verified first. Access Management does not
    need a caller."""
    return ACCESS not in actor


def may_act(
    actor: Collection[ConsoleRole], target: Collection[ConsoleRole], *, is_self: bool
) -> bool:
    """No operator acts on an account of their own. Only Access Management acts on operators; on
    members of Access Management only the shell acts."""
    if is_self or ACCESS in target:
        return False
    return ACCESS in actor if target else bool(actor)
