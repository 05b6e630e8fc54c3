"""What the metrics port of the gateway reads when Prometheus asks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import make_url

from idp import foundation
from idp.maintenance import measured_state
from idp.settings import Settings
from idp.transaction import Runtime
from service_base import metrics
from service_base.certificate_expiry import CertificateExpiry
from service_base.database import most_connections
from service_base.metrics import Reading


def of_gateway(main: int) -> Mapping[str, metrics.Source]:
    """The sources for a process of its own beside the main process. Raises ConfigurationError."""
    settings = Settings.from_environ(os.environ)
    runtime = foundation.connect(settings).runtime
    processes = metrics.Processes(main)
    most = most_connections(settings.database_url)
    return {
        "database": lambda: read_database(runtime),
        "processes": lambda: [
            *processes.read(),
            metrics.connections_limit(most * processes.count()),
        ],
        "disk": lambda: metrics.disk_space(folders(settings.database_url)),
        "certificate": CertificateExpiry(settings.issuer).read,
    }


def read_database(runtime: Runtime) -> list[Reading]:
    """What the database tells."""
    with runtime.step() as work:
        return list(measured_state.read(work))


def folders(database_url: str) -> Mapping[str, str]:
    """The folders whose file systems must not fill up."""
    found = {"working_folder": ".", "temporary": tempfile.gettempdir()}
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database and url.database[0] != ":":
        found["database"] = str(Path(url.database).absolute().parent)
    return found
