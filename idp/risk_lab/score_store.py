"""The scores of a replay, in a file: memory does not grow with the log, and an interrupted replay
goes on.

SQLite. Each engine has its rows together, in the order of the log."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from idp.risk_lab.lab_refusals import LogChanged, NotAState, StateOfAnotherReplay

TABLES = """
CREATE TABLE IF NOT EXISTS score (
    engine INTEGER, kind TEXT, id INTEGER, at INTEGER, user TEXT, number INTEGER, score REAL,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replay (what TEXT PRIMARY KEY, said TEXT) WITHOUT ROWID;
"""
#: In the header of the file, "RBA1": other databases are left alone.
APPLICATION = 0x52424131
#: The kind of people's own sign-ins; attacks have the name of their kind.
OWN = ""


@dataclass(frozen=True)
class Progress:
    """How far a replay is."""

    #: Scored rows.
    rows: int = 0
    #: Of the log up to there.
    digest: str = ""
    #: What was read and what engines counted, when the replay is whole.
    whole: dict[str, Any] | None = None


class ScoreStore:
    """Scores in ``path``; without one, in a file that ends with the process."""

    def __init__(self, path: Path | None = None, *, patience: float = 5.0) -> None:
        self.path = path
        self._waiting: list[tuple[Any, ...]] = []
        is_new = path is None or not path.exists() or not path.stat().st_size
        try:
            self._db = sqlite3.connect(path or "", timeout=patience)
            self._begin(is_new=is_new)
        except sqlite3.DatabaseError as error:
            raise NotAState(str(path), str(error)) from error
        self._next = int(self._one("SELECT coalesce(max(id) + 1, 0) FROM score"))

    def _begin(self, *, is_new: bool) -> None:
        # One replay at a time writes into the file.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        if not is_new and self._one("PRAGMA application_id") != APPLICATION:
            self._db.close()
            raise NotAState(str(self.path), "it is another database")
        self._db.execute(f"PRAGMA application_id = {APPLICATION}")
        self._db.executescript(TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def begin(self, circumstances: Mapping[str, Any]) -> Progress:
        """Where the replay was interrupted. ``circumstances`` determine its scores. Raises
        LogChanged or StateOfAnotherReplay if others were written down."""
        known = self._said("circumstances")
        if known is None:
            self._say("circumstances", dict(circumstances))
            self._say("progress", asdict(Progress()))
            self._db.commit()
            return Progress()
        for name, value in circumstances.items():
            if known.get(name) != value:
                if name == "size":
                    raise LogChanged(str(self.path))
                raise StateOfAnotherReplay(str(self.path), name)
        return Progress(**(self._said("progress") or {}))

    def add(self, kind: str, at: int, user: str, number: int, scores: Sequence[float]) -> None:
        """The scores of a row, one of each engine. ``number``: the how many-th own sign-in."""
        for engine, score in enumerate(scores):
            self._waiting.append((engine, kind, self._next, at, user, number, score))
        self._next += 1

    def save(self, progress: Progress) -> None:
        """Keep what was added, and how far the replay is, in one transaction."""
        self.flush()
        self._say("progress", asdict(progress))
        self._db.commit()

    def flush(self) -> None:
        """Make what was added readable."""
        self._db.executemany("INSERT INTO score VALUES (?, ?, ?, ?, ?, ?, ?)", self._waiting)
        self._waiting.clear()

    def rows(self, engine: int, kind: str = OWN) -> Iterator[tuple[int, str, int, float]]:
        """Time, user, number and score, in the order of the log."""
        return self.select(
            "SELECT at, user, number, score FROM score WHERE engine = ? AND kind = ? ORDER BY id",
            engine,
            kind,
        )

    def count(self, engine: int, kind: str = OWN) -> int:
        """How many rows there are."""
        return int(
            self._one("SELECT count(*) FROM score WHERE engine = ? AND kind = ?", engine, kind)
        )

    def kinds(self) -> list[str]:
        """The kinds of attacks, in the order in which they begin."""
        found = self.select(
            "SELECT kind FROM score WHERE engine = 0 AND kind <> '' GROUP BY kind ORDER BY min(id)"
        )
        return [kind for (kind,) in found]

    def select(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query of ``score``, one by one."""
        with closing(self._db.execute(query, values)) as found:
            yield from found

    def _one(self, query: str, *values: Any) -> Any:
        return self._db.execute(query, values).fetchone()[0]

    def _said(self, what: str) -> dict[str, Any] | None:
        found = self._db.execute("SELECT said FROM replay WHERE what = ?", (what,)).fetchone()
        return json.loads(found[0]) if found else None

    def _say(self, what: str, value: dict[str, Any]) -> None:
        self._db.execute("REPLACE INTO replay VALUES (?, ?)", (what, json.dumps(value)))
