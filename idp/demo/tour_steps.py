"""Which steps of the guided tour have been done, as the audit trail says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from idp.audit import trail
from idp.audit.actions import AuditAction
from idp.demo.people import FIGURES, REGISTRATION_PUSHER
from idp.directory import accounts
from idp.mfa.prompt_reasons import NoPromptReason, PromptReason
from idp.models import Event
from idp.transaction import UnitOfWork

#: How many events of an account are searched, from the newest.
MOST = 500
#: The applications of one sign-in.
APPLICATIONS = ("emi", "crow", "reports")
#: The account that the tour pushes.
PUSHED = "lindqvin"
_USERNAMES = {figure.role: figure.username for figure in FIGURES}


@dataclass(frozen=True)
class Step:
    """A step, and when each of its parts was done; None: not yet."""

    parts: dict[str, datetime | None]

    @property
    def is_done(self) -> bool:
        return None not in self.parts.values()


def steps(work: UnitOfWork) -> dict[str, Step]:
    """All steps by name."""
    found = {
        "activation": _activation(work),
        "applications": _applications(work),
        "risk": _risk(work),
        "telephone": _telephone(work),
        "push": {"created": _time(_events(work, PUSHED, AuditAction.SCIM_CREATED))},
        "machine": {"issued": _time(_of(work, "machine", AuditAction.TOKEN_ISSUED))},
        "grant": _grant(work),
    }
    return {name: Step(parts) for name, parts in found.items()}


def has_own_password(work: UnitOfWork, username: str) -> bool:
    """Whether the holder chose another password than the seeded one, or chooses the first one."""
    is_first = username == _USERNAMES["pending"]
    return is_first or len(_events(work, username, AuditAction.PASSWORD_SET)) > 1


def _activation(work: UnitOfWork) -> dict[str, datetime | None]:
    return {
        "password": _time(_of(work, "pending", AuditAction.PASSWORD_SET)),
        "setup": _time(_of(work, "pending", AuditAction.ENROLMENT_FINISHED)),
    }


def _applications(work: UnitOfWork) -> dict[str, datetime | None]:
    """Of the session that led to most of them, the newest of equal ones."""
    sessions: dict[str | None, dict[str | None, datetime]] = {}
    for event in reversed(_of(work, "trader", AuditAction.TOKEN_ISSUED)):
        if event.client_id in APPLICATIONS:
            sessions.setdefault(event.session_id, {})[event.client_id] = event.at
    best = max(sessions.values(), key=len, default={})
    return {name: best.get(name) for name in APPLICATIONS}


def _risk(work: UnitOfWork) -> dict[str, datetime | None]:
    """A code in a new browser, then none in it, then a code in another one."""
    left = iter(_of(work, "outage_coordinator", AuditAction.SIGNIN_ASSESSED))
    return {
        "new": _time(e for e in left if PromptReason.NEW_DEVICE in e.data["reasons"]),
        "remembered": _time(
            e for e in left if NoPromptReason.REMEMBERED_BROWSER in e.data["no_prompt_reasons"]
        ),
        "other": _time(e for e in left if PromptReason.NEW_DEVICE in e.data["reasons"]),
    }


def _telephone(work: UnitOfWork) -> dict[str, datetime | None]:
    left = iter(
        _of(
            work,
            "settlements_analyst",
            AuditAction.CALLER_VERIFIED,
            AuditAction.TEMPORARY_PASSWORD_ISSUED,
            AuditAction.TEMPORARY_PASSWORD_USED,
            AuditAction.PASSWORD_SET,
        )
    )
    names = {
        "verified": AuditAction.CALLER_VERIFIED,
        "issued": AuditAction.TEMPORARY_PASSWORD_ISSUED,
        "used": AuditAction.TEMPORARY_PASSWORD_USED,
        "chosen": AuditAction.PASSWORD_SET,
    }
    return {part: _time(e for e in left if e.name == name) for part, name in names.items()}


def _grant(work: UnitOfWork) -> dict[str, datetime | None]:
    left = iter(
        _of(
            work,
            "outage_coordinator",
            AuditAction.ROLE_GROUP_ASSIGNED,
            AuditAction.TOKEN_ISSUED,
        )
    )
    by_registration = f"client:{REGISTRATION_PUSHER}"
    return {
        "granted": _time(e for e in left if e.actor == by_registration),
        "used": _time(
            e for e in left if e.name == AuditAction.TOKEN_ISSUED and e.client_id == "emi"
        ),
    }


def _of(work: UnitOfWork, role: str, *names: AuditAction) -> list[Event]:
    return _events(work, _USERNAMES[role], *names)


def _events(work: UnitOfWork, username: str, *names: AuditAction) -> list[Event]:
    """What was done with the account, oldest first."""
    account = accounts.find_by_username(work, username)
    if account is None:
        return []
    newest = trail.account_events(work, account, MOST, *names)
    return [event for event in reversed(newest) if event.outcome == "ok"]


def _time(events: Iterable[Event]) -> datetime | None:
    """When the first of them was. An iterator continues after it."""
    return next((event.at for event in events), None)
