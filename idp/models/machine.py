"""Where machine accounts may be used from, and their keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey


class RegisteredNetwork(Base):
    """A network of a machine account, with what its custodian calls it (MA-02)."""

    __tablename__ = "registered_network"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    #: CIDR in its one spelling.
    network: Mapped[str] = mapped_column(String(50))
    label: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_registered_network_account_id_network", "account_id", "network", unique=True),
    )


class MachineKey(Base):
    """A public key by which programs of a machine account authenticate instead of its password;
    several while one replaces another."""

    __tablename__ = "machine_key"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"), index=True)
    kid: Mapped[str] = mapped_column(String(60))
    label: Mapped[str] = mapped_column(String(60))
    jwk: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    #: How many reminders of its end were mailed.
    reminders: Mapped[int] = mapped_column(default=0)
