"""What the search of accounts finds them by."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId
from idp.models.account import Account


class SearchTerm(Base):
    """A case-folded search term of an account; the console matches prefixes."""

    __tablename__ = "search_term"

    #: Binary collation on every database, so that a range query matches a prefix.
    term: Mapped[str] = mapped_column(
        String(320).with_variant(String(320, collation="C"), "postgresql"), primary_key=True
    )
    account_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(Account.id), primary_key=True, index=True
    )
