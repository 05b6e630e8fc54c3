"""Who may do what in the console: roles, and what an action needs (N72, N74).

Pure. Roles are role groups of the gateway itself, held for the operator's own organization.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

#: The organization whose people operate the gateway.
OPERATOR = "IESO"


class ConsoleRole(StrEnum):
    """What an operator is; the values are the names of the role groups."""

    AGENT = "Gateway Customer Relations"
    ACCESS = "Gateway Access Management"
    AUDITOR = "Gateway Auditor"


AGENT, ACCESS, AUDITOR = ConsoleRole.AGENT, ConsoleRole.ACCESS, ConsoleRole.AUDITOR
ANY = frozenset(ConsoleRole)


class Fact(StrEnum):
    """What a caller can be asked, and what was heard (CR-01, CR-02)."""

    USERNAME = "username"
    EMAIL = "email"
    PERSON_ID = "person_id"
    ORGANIZATION = "organization"
    CALLBACK = "callback"


#: Either names the account; without one nobody knows whom the call is about (CR-01).
NAMING = frozenset((Fact.USERNAME, Fact.EMAIL))
NEEDED_BESIDES = 2


def is_verified(facts: Collection[str], *, code_confirmed: bool) -> bool:
    """Whether the caller counts as the holder: the account was named and two more facts matched;
    a code read back from a registered address stands for all of it."""
    known = {Fact(fact) for fact in facts if fact in list(Fact)}
    named = known & NAMING
    return code_confirmed or bool(named and len(known) - 1 >= NEEDED_BESIDES)


@dataclass(frozen=True)
class Action:
    """What an operator can do to an account."""

    roles: frozenset[ConsoleRole]
    #: The states in which it makes sense.
    states: frozenset[str]


_OPEN = frozenset(("pending", "active", "reset_required"))
_HELP = frozenset((AGENT, ACCESS))


class ConsoleAction(StrEnum):
    """What operators do to accounts; the values are part of addresses and of the trail."""

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


def needs_caller_verification(actor: Collection[ConsoleRole]) -> bool:
    """Customer Relations acts for somebody on the telephone, who has to be verified first;
    Access Management acts on its own duty."""
    return ACCESS not in actor


def may_act(
    actor: Collection[ConsoleRole], target: Collection[ConsoleRole], *, is_self: bool
) -> bool:
    """Nobody acts on an account of his own person; only Access Management acts on operators, and
    on its own kind nobody does (that takes the operator's shell)."""
    if is_self or ACCESS in target:
        return False
    return ACCESS in actor if target else bool(actor)
