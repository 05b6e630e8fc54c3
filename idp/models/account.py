"""Persons and accounts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    and_,
    false,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import UNNESTED, Base, BigId, PrimaryKey, partial_index
from idp.models.role import Participant
from idp.policy.account_states import AccountState, state_in_effect
from idp.policy.names import full_name
from idp.policy.registered_values import AccountKind


class Person(Base):
    """A person of a participant, also as custodian of machine accounts."""

    __tablename__ = "person"

    id: Mapped[PrimaryKey]
    #: The Person ID assigned by the registration system. It never changes.
    person_id: Mapped[str] = mapped_column(String(40), unique=True)
    given_name: Mapped[str] = mapped_column(String(100))
    middle_name: Mapped[str] = mapped_column(String(100), default="")
    family_name: Mapped[str] = mapped_column(String(100))
    preferred_name: Mapped[str] = mapped_column(String(100), default="")
    email: Mapped[str] = mapped_column(String(320))
    #: Case-folded, for look-ups.
    email_key: Mapped[str] = mapped_column(String(320))
    #: Main telephone in E.164, or empty; the extension is for voice (CR-09).
    phone: Mapped[str] = mapped_column(String(20), default="")
    phone_extension: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index("ix_person_email_key", "email_key"),)

    @property
    def full_name(self) -> str:
        """Given and family name, as shown."""
        return full_name(self.given_name, self.family_name)


class Account(Base):
    """One login. ``username`` and ``subject`` are never assigned again (N81)."""

    __tablename__ = "account"

    id: Mapped[PrimaryKey]
    #: The ``sub`` of tokens: random and permanent.
    subject: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[AccountKind] = mapped_column(String(10))
    state: Mapped[AccountState] = mapped_column(String(20))
    state_changed_at: Mapped[datetime]
    #: The name of the reason for this state; the console translates it.
    state_reason: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))
    #: The states to restore after a lock or suspension, the next one first, separated by commas (a
    #: suspension can follow a lock). None if neither is in effect.
    resumes_as: Mapped[str | None] = mapped_column(String(60))
    username: Mapped[str] = mapped_column(String(320))
    #: Case-folded and NFKC: one key for all spellings of a name.
    username_key: Mapped[str] = mapped_column(String(320), unique=True)
    #: The family and given name of the person, folded: the order of lists. Binary collation, as in
    #: ``SearchTerm``.
    sort_name: Mapped[str] = mapped_column(
        String(200).with_variant(String(200, collation="C"), "postgresql"),
        default="",
        server_default=text("''"),
    )
    #: The holder; for a machine account, its custodian.
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    #: The reason for a second account, and the only participant it acts for; empty for all others
    #: (UI-10).
    second_reason: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))
    second_participant_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("participant.id"), index=True
    )
    password_hash: Mapped[str | None] = mapped_column(String(200))
    password_changed_at: Mapped[datetime | None]
    #: The previous password, while programs of a machine account may still use it.
    former_password_hash: Mapped[str | None] = mapped_column(String(200))
    former_password_until: Mapped[datetime | None]
    #: The time when it is deactivated (PR-05).
    ends_at: Mapped[datetime | None] = mapped_column(index=True)
    #: When the custodian was last notified that the machine account is unused.
    dormancy_notice_at: Mapped[datetime | None]
    #: The number of renewal reminders sent for this password (procedure L).
    renewal_reminders: Mapped[int] = mapped_column(default=0, server_default="0")
    #: When enrolment was completed; None while steps remain.
    enrolled_at: Mapped[datetime | None]
    #: Completed enrolment steps that store nothing else, separated by commas.
    enrolment_passed: Mapped[str] = mapped_column(String(60), default="", server_default=text("''"))
    #: The last event that requires a second factor at the next sign-in, and its name.
    distrusted_at: Mapped[datetime | None]
    distrusted_for: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))
    #: The WebAuthn user handle: random, 64 bytes in base64url (WebAuthn 14.6.1).
    user_handle: Mapped[str | None] = mapped_column(String(100), unique=True)
    #: Whether the holder agreed that browsers create passkeys without a prompt.
    creates_passkeys: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: E.164, verified: the number for recovery codes by SMS (SP-03).
    recovery_phone: Mapped[str | None] = mapped_column(String(20))
    locale: Mapped[str] = mapped_column(String(5), default="en")
    #: Whether the holder chose the language; otherwise pages use the browser's.
    locale_is_chosen: Mapped[bool] = mapped_column(default=False)
    zoneinfo: Mapped[str] = mapped_column(String(40), default="America/Toronto")
    activated_at: Mapped[datetime | None]
    #: When the holder was told that the account is active: with the first complete enrolment.
    ready_at: Mapped[datetime | None]
    #: The version of the conditions of use that the holder accepted last, and when (GW-02, TM-11).
    conditions_version: Mapped[str] = mapped_column(
        String(20), default="", server_default=text("''")
    )
    conditions_accepted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=UNNESTED)
    second_participant: Mapped[Participant | None] = relationship()

    __table_args__ = (
        # For the renewal reminders.
        Index("ix_account_password_changed_at", "password_changed_at"),
        # For the lists of the console, and the number of accounts in each state.
        Index("ix_account_sort_name_id", "sort_name", "id"),
        Index("ix_account_state_sort_name_id", "state", "sort_name", "id"),
        Index("ix_account_state_state_changed_at_id", "state", "state_changed_at", "id"),
        Index("ix_account_state_changed_at_id", "state_changed_at", "id"),
        Index("ix_account_kind", "kind"),
    )

    @property
    def second_participant_number(self) -> str:
        """The number of the only participant that it acts for; empty: of all."""
        return self.second_participant.number if self.second_participant else ""

    def effective_state(self, now: datetime) -> AccountState:
        """The state in effect (``state_in_effect``)."""
        return state_in_effect(self.state, self.ends_at, now)

    @classmethod
    def is_open(cls, now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
        """The condition for accounts whose ``effective_state`` is not deactivated."""
        return and_(
            cls.state != AccountState.DEACTIVATED, or_(cls.ends_at.is_(None), cls.ends_at > now)
        )


# A person has one open personal account, and at most one more per participant.
_OPEN = and_(Account.kind == AccountKind.PERSONAL, Account.state != AccountState.DEACTIVATED)
_FIRST = and_(_OPEN, Account.second_reason == "")
partial_index(
    "uq_account_first",
    Account.person_id,
    unique=True,
    where=_FIRST,
)
partial_index(
    "uq_account_second",
    Account.person_id,
    Account.second_participant_id,
    unique=True,
    where=_OPEN,
)
