"""Assignments: which accounts hold which role groups."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, ForeignKey, String, and_, or_, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, PrimaryKey, partial_index
from idp.models.account import Account
from idp.models.role import Participant, RoleGroup


class Assignment(Base):
    """A role group held by an account for a participant. Rows are never deleted, so that the
    history is known."""

    __tablename__ = "assignment"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id))
    role_group_id: Mapped[int] = mapped_column(BigId, ForeignKey(RoleGroup.id), index=True)
    participant_id: Mapped[int] = mapped_column(BigId, ForeignKey(Participant.id), index=True)
    granted_at: Mapped[datetime]
    granted_by: Mapped[str] = mapped_column(String(320))
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None] = mapped_column(String(320))
    #: Start and end of validity; None: unlimited.
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None] = mapped_column(index=True)
    #: Who requested it in the registration system, and the request number.
    requested_by: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    request_number: Mapped[str] = mapped_column(String(60), default="", server_default=text("''"))

    role_group: Mapped[RoleGroup] = relationship(lazy="joined", innerjoin=True)
    participant: Mapped[Participant] = relationship(lazy="joined", innerjoin=True)

    @classmethod
    def is_effective(cls, now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
        """The condition for assignments in effect: not revoked, started and not expired."""
        return and_(
            cls.revoked_at.is_(None),
            or_(cls.valid_from.is_(None), cls.valid_from <= now),
            or_(cls.valid_until.is_(None), cls.valid_until > now),
        )


# At most one current row; also the index for an account's groups in tokens.
partial_index(
    "uq_assignment_active",
    Assignment.account_id,
    Assignment.role_group_id,
    Assignment.participant_id,
    unique=True,
    where=Assignment.revoked_at.is_(None),
)
