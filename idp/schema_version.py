"""The version of the gateway's tables (``service_base.schema_version``)."""

from __future__ import annotations

from service_base.schema_version import USABLE, Schema, SchemaStatus

__all__ = ["SCHEMA", "USABLE", "SchemaStatus"]

SCHEMA = Schema("migrations", "gateway db upgrade")
