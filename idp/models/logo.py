"""Logos of clients."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, PrimaryKey


class Logo(Base):
    """An image, by the digest of its content. It is never changed."""

    __tablename__ = "logo"

    id: Mapped[PrimaryKey]
    #: SHA-256, in hexadecimal digits. It is part of the URL of the logo.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    media_type: Mapped[str] = mapped_column(String(20))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    #: When it was last uploaded.
    stored_at: Mapped[datetime]
