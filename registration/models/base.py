"""What the tables of registration share."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, MetaData, String, and_, or_
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from service_base.database import COLUMN_TYPES, NAMING

#: Who did something: a Person ID, or the name of a program such as ``cli:smith``.
ACTOR = String(80)
REASON = String(500)


class Base(DeclarativeBase):
    """Base of all models."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = COLUMN_TYPES


class Versioned:
    """A row that people change in forms. Each change raises its version, and a change that is based
    on an earlier version is refused (``StaleDataError``)."""

    version: Mapped[int] = mapped_column(default=1)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy
        return {"version_id_col": cls.version}


class Held(Versioned):
    """What holds from a moment until another: by whom it was given, and why it was taken.

    A row is never deleted, and of its values only the end and its reason are written later, once.
    So every question about the past is a condition (``held_at``)."""

    valid_from: Mapped[datetime]
    #: None: without an end. The end itself is no longer part of it.
    valid_until: Mapped[datetime | None]
    given_by: Mapped[str] = mapped_column(ACTOR)
    given_why: Mapped[str] = mapped_column(REASON, default="")
    #: Who set the end, when and why; empty while nobody did.
    ended_by: Mapped[str] = mapped_column(ACTOR, default="")
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str] = mapped_column(REASON, default="")

    @classmethod
    def held_at(cls, at: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
        """The condition that it held at this moment."""
        return and_(
            cls.valid_from <= at,
            or_(cls.valid_until.is_(None), cls.valid_until > at),
        )

    def end(self, at: datetime, by: str, why: str) -> None:
        """Set the end: it holds no longer."""
        self.valid_until = self.ended_at = at
        self.ended_by, self.ended_why = by, why

    def is_held(self, at: datetime) -> bool:
        """Whether it holds at this moment."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)
