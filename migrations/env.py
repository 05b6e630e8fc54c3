"""The migrations of the gateway. Its commands give the connection."""

from __future__ import annotations

import os

from sqlalchemy import create_engine

import idp.models  # noqa: F401  fills the metadata
from idp.db import Base
from service_base.migration_run import Target, run

#: "IESO".
UPGRADE_LOCK = 0x4945534F

run(Target(Base.metadata, UPGRADE_LOCK, lambda: create_engine(os.environ["IDP_DATABASE_URL"])))
