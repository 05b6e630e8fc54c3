"""Which provisioning client created an account, and the client's own id for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, PrimaryKey
from idp.models.account import Account
from idp.models.client import Client
from idp.models.role import Participant, RoleGroup


class ProvisionedAccount(Base):
    """The registration system's view of an account."""

    __tablename__ = "provisioned"

    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), primary_key=True)
    #: The provisioning client: an OAuth client with scope ``scim``.
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey(Client.id))
    #: The client's id for the account (``externalId``), unique per client; None if it has none.
    external_id: Mapped[str | None] = mapped_column(String(200))
    #: Digest of the create request, to detect a retry.
    content: Mapped[str] = mapped_column(String(64))
    request_number: Mapped[str] = mapped_column(String(60), default="")
    #: The highest sequence number applied; lower ones are stale.
    sequence: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_provisioned_client_id_external_id", "client_id", "external_id", unique=True),
    )


class ProvisionedGroup(Base):
    """A role group at one participant, as a SCIM Group. The assignments are its members."""

    __tablename__ = "provisioned_group"

    id: Mapped[PrimaryKey]
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    role_group_id: Mapped[int] = mapped_column(BigId, ForeignKey("role_group.id"))
    participant_id: Mapped[int] = mapped_column(BigId, ForeignKey("participant.id"), index=True)
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey(Client.id))
    external_id: Mapped[str | None] = mapped_column(String(200))
    display_name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    role_group: Mapped[RoleGroup] = relationship(lazy="joined", innerjoin=True)
    participant: Mapped[Participant] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        Index("uq_provisioned_group_pair", "role_group_id", "participant_id", unique=True),
        Index(
            "uq_provisioned_group_client_id_external_id", "client_id", "external_id", unique=True
        ),
    )
