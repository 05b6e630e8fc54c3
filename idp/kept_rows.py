"""What each process keeps in memory of tables that rarely change.

It is used only by a transaction that reads the same revision (``idp.models.revision``), so a
change is seen by the next transaction of every process. A transaction reads the revision once, if
possible as a column of a statement that it needs anyway. A request may presume that the revision is
the latest one until that statement confirms it (``UnitOfWork.presumed``).
"""

from __future__ import annotations

from typing import Any

Kept = dict[tuple[str, Any], Any]


class KeptRows:
    """The values of one revision. Thread-safe: a revision has a dictionary of its own, so what one
    transaction reads never appears under the revision of another."""

    def __init__(self) -> None:
        self._current: tuple[str | None, Kept] = (None, {})

    def latest(self) -> Kept | None:
        """What is kept of the revision that a transaction of this process read last, if any."""
        revision, kept = self._current
        return kept if revision is not None else None

    def revision_of(self, kept: Kept) -> str | None:
        """The revision of what is kept, unless another one was read since."""
        revision, current = self._current
        return revision if kept is current else None

    def of(self, revision: str | None) -> Kept:
        """What is kept of this revision. Nothing is kept without one."""
        if revision is None:
            return {}
        current = self._current
        if current[0] != revision:
            current = self._current = (revision, {})
        return current[1]
