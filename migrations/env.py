"""The migrations of the gateway. Its commands give the connection."""

from __future__ import annotations

import os

from sqlalchemy import create_engine

from idp import models
from service_base.migration_run import Target, run

#: "IESO".
UPGRADE_LOCK = 0x4945534F

run(Target(models.tables(), UPGRADE_LOCK, lambda: create_engine(os.environ["IDP_DATABASE_URL"])))
