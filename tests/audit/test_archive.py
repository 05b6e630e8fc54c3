"""The oldest records are moved to a file, and the integrity check goes on after them
(docs/decisions/0073)."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from idp.audit import archive, chain, events, trail, verification
from idp.errors import Invalid, Refused
from idp.models import Event
from tests.shell import Run
from tests.world import World

LONG_AGO = datetime(2020, 5, 1, tzinfo=UTC)


@pytest.fixture
def old(world: World) -> int:
    """Six sealed records of long ago and two of today; the number of the last old one."""
    with world.work() as work:
        work.db.execute(delete(Event))
        for number in range(8):
            events.record(work, "test.event", number=number)
        work.db.flush()
        ids = sorted(work.db.scalars(select(Event.id)))
        work.db.execute(update(Event).where(Event.id.in_(ids[:6])).values(at=LONG_AGO))
    with world.work() as work:
        chain.seal_pending(work)
        return chain.chain_end(work) - 2


def moved(world: World) -> tuple[archive.Archived | None, str]:
    """Archive the records of long ago; returns what was written too."""
    file = io.StringIO()
    with world.work() as work:
        made = archive.write(work, LONG_AGO + timedelta(days=1), file)
    with world.work() as work:
        while archive.remove_batch(work):
            pass
    return made, file.getvalue()


def checked(world: World) -> verification.VerificationResult:
    with world.work() as work:
        while chain.seal_pending(work):
            pass
    with world.work() as work:
        return verification.verify(work)


def test_old_records_are_in_the_file_and_the_check_goes_on(world: World, old: int) -> None:
    made, text = moved(world)
    assert made == archive.Archived(old, 6, sha256(text.encode()).hexdigest())
    assert [json.loads(line)["data"]["number"] for line in text.splitlines()] == list(range(6))
    result = checked(world)
    assert (result.descriptions, result.archived, result.first) == ([], old, old + 1)
    with world.work() as work:
        proofs = [record["proof"] for record in trail.export_records(work)]
    # Two of today, and the event of the archive.
    assert proofs == ["proved"] * 3
    assert moved(world) == (None, "")


def test_a_deleted_record_after_the_archive_is_missed(world: World, old: int) -> None:
    moved(world)
    with world.work() as work:
        work.db.execute(delete(Event).where(Event.seq == old + 1))
    assert checked(world).faults["missing"] == 1


def test_a_forged_event_of_an_archive_hides_nothing(world: World, old: int) -> None:
    """Somebody who can write to the database deletes records and says that they are archived."""
    with world.work() as work:
        seal = work.db.scalar(select(Event.seal).where(Event.seq == old))
        work.db.execute(delete(Event).where(Event.seq <= old))
        events.record(work, "trail.archived", last=old, seal=seal, sha256="x", proof=seal)
    assert checked(world).faults["missing"] == old


def test_what_is_recent_or_changed_is_not_archived(world: World, old: int) -> None:
    with world.work() as work, pytest.raises(Invalid, match="400 days"):
        archive.write(work, work.now - timedelta(days=399), io.StringIO())
    with world.work() as work:
        work.db.execute(update(Event).where(Event.seq == old - 1).values(name="other"))
    with world.work() as work, pytest.raises(Refused, match=f"record {old - 1} is"):
        archive.write(work, LONG_AGO + timedelta(days=1), io.StringIO())


def test_the_command(world: World, run: Run, old: int, tmp_path: Path) -> None:
    """The file is compressed by its name, only for its owner, and never replaced."""
    file = tmp_path / "trail.jsonl.gz"
    said = run("audit", "archive", "--before", "2021-01-01", str(file)).output
    assert f"6 records archived up to record {old}" in said
    assert sha256(gzip.decompress(file.read_bytes())).hexdigest() in said
    assert file.stat().st_mode & 0o777 == 0o600
    again = run("audit", "archive", "--before", "2021-01-01", str(file))
    assert (again.exit_code, "cannot create" in again.output) == (1, True)
    other = tmp_path / "other.jsonl"
    assert "No records" in run("audit", "archive", "--before", "2021-01-01", str(other)).output
    assert not other.exists()
    assert f", {old} archived" in run("audit", "verify").output
