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

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        warnings: list[str] = []
        self._warnings = warnings

        def note(notice: Diagnostic) -> None:
            # What it says is there only during this call.
            if notice.severity_nonlocalized == "WARNING":
                warnings.append("WARNING")

        self.add_notice_handler(note)

    def expect_commit(self) -> None:
        """The next statement, or what follows, commits."""
        self._warnings.clear()

    def confirm_commit(self) -> None:
        """Raises OperationalError if the server warned since ``expect_commit``."""
        if self._warnings:
            raise psycopg.OperationalError("no standby has confirmed the commit")

    def commit(self) -> None:
        """Raises OperationalError if the server warns."""
        self.expect_commit()
        super().commit()
        self.confirm_commit()
