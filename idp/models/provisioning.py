"""Which pusher provisioned an account, and under which key of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId


class Provisioned(Base):
    """The registration system's side of an account."""

    __tablename__ = "provisioned"

    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"), primary_key=True)
    #: The pusher: an OAuth client with scope ``scim``.
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey("client.id"))
    #: Its key of the account, unique for it; None when it has none.
    external_id: Mapped[str | None] = mapped_column(String(200))
    #: Digest of what the account was created with: a retry is recognised by it.
    content: Mapped[str] = mapped_column(String(64))
    request_number: Mapped[str] = mapped_column(String(60), default="")
    #: The highest number of a push that was applied; lower ones are stale.
    sequence: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_provisioned_client_id_external_id", "client_id", "external_id", unique=True),
    )
