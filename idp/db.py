"""The database of the gateway: the base of its models. How a database behaves is in
``service_base.database``."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from sqlalchemy import JSON, Dialect, Index, MetaData, Table
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, TypeEngine

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
    "UNNESTED", "Base", "BigId", "BinaryJson", "PrimaryKey", "UtcDateTime", "complete_indexes",
    "engine_options", "insert_if_missing", "partial_index", "prepare_engine", "table",
]  # fmt: skip


class Base(DeclarativeBase):
    """Base of all models."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = COLUMN_TYPES


def table(model: type[Base]) -> Table:
    """The table of a model."""
    return cast(Table, model.__table__)


class BinaryJson(TypeDecorator[Any]):
    """JSON; ``jsonb`` in PostgreSQL, whose dialect is loaded only if it is in use."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return super().load_dialect_impl(dialect)
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB())


def partial_index(name: str, *columns: Any, where: Any, unique: bool = False) -> Index:
    """An index of the rows for which ``where`` holds. To say that to SQLAlchemy loads each dialect,
    which a command does not need: see ``complete_indexes``."""
    return Index(name, *columns, unique=unique, info={"where": where})


def complete_indexes(metadata: MetaData) -> None:
    """Before tables are made or compared: the conditions of partial indexes, in each dialect."""
    for found in metadata.tables.values():
        for index in found.indexes:
            if "where" in index.info:
                for dialect in ("sqlite", "postgresql"):
                    index.dialect_options[dialect]["where"] = index.info["where"]
