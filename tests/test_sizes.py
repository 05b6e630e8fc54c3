"""The sizes in docs/operations.md are what ``benchmarks.sizes`` prints."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import sizes
from idp.maintenance import purge

CHAPTER = (
    (Path(__file__).resolve().parents[1] / "docs" / "operations.md")
    .read_text()
    .split("\n### Sizes\n")[1]
    .split("\n### ")[0]
)


def test_the_document_has_both_tables_of_the_script() -> None:
    """The same tables, kept as long, and what follows from the bytes that were measured."""
    measured = {
        name: sizes.Bytes(int(row), int(indexes))
        for name, row, indexes in re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", CHAPTER, re.M)
    }
    assert set(measured) == set(sizes.GROWING) == set(sizes.FILLED)
    assert sizes.rows_table(measured) in CHAPTER
    assert sizes.years_table(measured) in CHAPTER
    assert f"make {sizes.events_a_day()} events a day each" in CHAPTER


def test_what_grows_is_deleted_but_the_audit_log() -> None:
    """Sign-ins are deleted by the worker that counts them, everything else by the purge."""
    deleted = {model.__tablename__ for model, _ in purge.KINDS.values()}  # type: ignore[attr-defined]
    assert set(sizes.GROWING) - deleted == {"event", "sign_in"}
