"""The migrations of the gateway."""

from __future__ import annotations

import idp.models  # noqa: F401  fills the metadata
from idp.db import Base, db
from service_base.migration_run import Target, run

#: "IESO".
UPGRADE_LOCK = 0x4945534F

run(Target(Base.metadata, UPGRADE_LOCK, lambda: db.engine))
