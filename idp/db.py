"""The database of the gateway: the base of its models. How a database behaves is in
``service_base.database``."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import DeclarativeBase

from service_base.database import (
    COLUMN_TYPES,
    NAMING,
    UNNESTED,
    BigId,
    PrimaryKey,
    UtcDateTime,
    engine_options,
    insert_if_missing,
    prepare_engine,
)

__all__ = [
    "UNNESTED", "Base", "BigId", "PrimaryKey", "UtcDateTime", "engine_options",
    "insert_if_missing", "prepare_engine", "table",
]  # fmt: skip


class Base(DeclarativeBase):
    """Base of all models."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = COLUMN_TYPES


def table(model: type[Base]) -> Table:
    """The table of a model."""
    return cast(Table, model.__table__)
