"""The changes of a sign-in in progress: one function for each transition of the stage, and one for
each answer of the person. ``idp.policy.signin_state`` has the table of legal rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm.attributes import flag_modified

from idp.errors import ServiceError
from idp.models import Account, Interaction
from idp.policy.signin_state import (
    STAGE_COLUMNS,
    ChangeReason,
    Evidence,
    SecondFactorDecision,
    Stage,
    is_legal,
)

#: Everything that ``_write`` sets, whatever the stage.
_COLUMNS = ("stage", *STAGE_COLUMNS, "temporary_password_id", "has_secret", "remember")
_ANSWERS = ("consented_at", "denied_at", "account_chosen_at")


def security_stamp(account: Account) -> str:
    """A value that changes with the password and with the state of the account. A sign-in in
    progress ends when it changes. No clocks are compared."""
    changed = account.password_changed_at
    return f"{changed.isoformat() if changed else ''}/{account.state_changed_at.isoformat()}"


def require_password_change(
    found: Interaction,
    account: Account,
    reason: ChangeReason,
    temporary_password_id: int | None,
) -> None:
    """The password was right, but a new one has to be chosen first."""
    _write(
        found,
        Stage.PASSWORD_CHANGE,
        account_id=account.id,
        security_stamp=security_stamp(account),
        change_reason=reason,
        temporary_password_id=temporary_password_id,
    )


def accept_first_factor(
    found: Interaction,
    account: Account,
    evidence: Evidence,
    decision: SecondFactorDecision,
    *,
    remember: bool,
) -> None:
    """The first factor was right: the second one comes next, if it is required."""
    _write(
        found,
        Stage.SECOND_FACTOR if decision.is_required else Stage.PROVED,
        account_id=account.id,
        security_stamp=security_stamp(account),
        proved=list(evidence.methods),
        has_secret=evidence.has_secret,
        second_factor={
            "reasons": list(decision.reasons),
            "needs_strong": decision.needs_strong,
            "no_prompt": list(decision.no_prompt),
        },
        remember=remember,
    )


def accept_factor(found: Interaction, methods: Sequence[str], *, remember: bool = False) -> None:
    """A second factor was proved, or set up and confirmed during enrolment. ``remember``: the
    holder wants this browser remembered, if they did not say so before."""
    _rewrite(
        found,
        stage=Stage.PROVED,
        proved=[*(found.proved or ()), *methods],
        remember=found.remember or remember,
    )


def accept_secret(found: Interaction) -> None:
    """A one-time secret that was sent to the holder was entered during enrolment."""
    _rewrite(found, has_secret=True)


def authenticate(found: Interaction, now: datetime) -> None:
    """The session was started."""
    _rewrite(found, stage=Stage.AUTHENTICATED, authenticated_at=now)


def record_consent(found: Interaction, account: Account, now: datetime) -> None:
    """The person allowed what the relying party asks for."""
    _answer(found, account, consented_at=now)


def record_denial(found: Interaction, account: Account, now: datetime) -> None:
    """The person declined, or went back to the application."""
    _answer(found, account, denied_at=now)


def record_account_choice(found: Interaction, account: Account, now: datetime) -> None:
    """The person chose to continue with the account of the session."""
    _answer(found, account, account_chosen_at=now)


def _answer(found: Interaction, account: Account, **answer: datetime) -> None:
    """Store an answer. Earlier ones stay if the same person gave them; those of another person end.
    All columns are written, as in ``_write``."""
    is_same = found.answered_by_id == account.id
    earlier = {name: getattr(found, name) if is_same else None for name in _ANSWERS}
    for name, value in (earlier | answer | {"answered_by_id": account.id}).items():
        setattr(found, name, value)
        flag_modified(found, name)


def _rewrite(found: Interaction, **changes: Any) -> None:
    """Write the row again with these changes."""
    values = {name: getattr(found, name) for name in _COLUMNS} | changes
    _write(found, Stage(values.pop("stage")), **values)


def _write(found: Interaction, stage: Stage, **values: Any) -> None:
    """The only function that writes the stage. It writes every column that belongs to it, so that
    concurrent requests of two tabs leave a legal row."""
    row = dict.fromkeys(_COLUMNS) | {"has_secret": False, "remember": False} | values
    if not is_legal(stage, row):
        raise ServiceError(f"no such state of a sign-in: {stage} with {sorted(values)}")
    for name, value in (row | {"stage": stage}).items():
        setattr(found, name, value)
        flag_modified(found, name)
