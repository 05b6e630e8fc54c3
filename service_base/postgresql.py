"""The driver's connection to PostgreSQL, with commits that mean what they say."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.errors import Diagnostic


class ConfirmedConnection(psycopg.Connection[Any]):
    """With synchronous replication a commit waits for its standby. If somebody cancels the wait,
    the server calls the commit successful, with a warning, and it is lost if the primary is lost
    before the standby is back. Here it fails, so that nobody is told that it succeeded
    (docs/reliability.md)."""

    def commit(self) -> None:
        """Raises OperationalError if the server warns."""
        warnings = []

        def note(notice: Diagnostic) -> None:
            # What it says is there only during this call.
            if notice.severity_nonlocalized == "WARNING":
                warnings.append(notice)

        self.add_notice_handler(note)
        try:
            super().commit()
        finally:
            self.remove_notice_handler(note)
        if warnings:
            raise psycopg.OperationalError("no standby has confirmed the commit")
