"""The one table that the floor writes to."""

from sqlalchemy import Column, Integer, MetaData, String, Table

FLOOR_TABLE = Table(
    "floor", MetaData(), Column("id", Integer, primary_key=True), Column("jti", String(40))
)
