"""The migrations of registration. Its commands give the connection."""

from __future__ import annotations

import os

from sqlalchemy import create_engine

from registration.models import Base
from service_base.migration_run import Target, run

#: "REGI".
UPGRADE_LOCK = 0x52454749

run(
    Target(
        Base.metadata, UPGRADE_LOCK, lambda: create_engine(os.environ["REGISTRATION_DATABASE_URL"])
    )
)
