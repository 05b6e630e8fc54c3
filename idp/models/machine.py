"""Registered networks and keys of machine accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey
from idp.models.account import Account


class RegisteredNetwork(Base):
    """A network from which a machine account may be used, with the custodian's label (MA-02)."""

    __tablename__ = "registered_network"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id))
    #: CIDR in canonical form.
    network: Mapped[str] = mapped_column(String(50))
    label: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_registered_network_account_id_network", "account_id", "network", unique=True),
    )


class MachineKey(Base):
    """A public key that programs of a machine account use instead of its password; several during a
    key rotation."""

    __tablename__ = "machine_key"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), index=True)
    kid: Mapped[str] = mapped_column(String(60))
    label: Mapped[str] = mapped_column(String(60))
    jwk: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    #: The number of expiry reminders sent.
    reminders: Mapped[int] = mapped_column(default=0)
