"""Sign-in history for the risk engine: limited in size, and aggregated as counts where possible."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey, partial_index
from idp.models.account import Account

_UNCOUNTED = text("counted_at IS NULL")


class SignIn(Base):
    """A completed sign-in of an account, including a second factor if one was required."""

    __tablename__ = "sign_in"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id))
    at: Mapped[datetime]
    #: The time zone for its hour.
    zone: Mapped[str] = mapped_column(String(40))
    ip: Mapped[str] = mapped_column(String(45))
    asn: Mapped[str] = mapped_column(String(20))
    country: Mapped[str] = mapped_column(String(2))
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    #: Parts of the user agent (``idp.mfa.features.Agent``).
    family: Mapped[str] = mapped_column(String(60))
    major: Mapped[int]
    system: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(10))
    #: Whether a second factor was verified.
    is_proved: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: When the worker added it to the population counts; None before.
    counted_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_sign_in_account_id_at", "account_id", "at"),
        Index("ix_sign_in_at", "at"),
        partial_index("ix_sign_in_uncounted", "id", where=_UNCOUNTED),
    )


class PopulationCount(Base):
    """How often a value of a level occurred in all sign-ins.

    The levels are those of ``idp.mfa.sign_in_histories``. Further ones are ``total`` (sign-ins),
    ``people`` (with a history), ``distinct`` (number of values of a level), and ``working`` and
    ``free`` (by time of day)."""

    __tablename__ = "population_count"

    level: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen: Mapped[int] = mapped_column(BigId)
