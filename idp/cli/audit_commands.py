"""``gateway audit`` and ``gateway purge``."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from idp.cli.common import as_json, connect, show_json, show_table, unit_of_work


@click.group()
def audit() -> None:
    """Audit log."""


@audit.command()
@click.option(
    "--key",
    "key_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a previous IDP_SECRET_KEY that sealed records. Repeat for several.",
)
@as_json
def verify(key_files: tuple[Path, ...], as_json: bool) -> None:
    """Verify the integrity of the audit log.

    Reports records that are forged, missing, changed, not sealed yet, or sealed with an unknown
    key, and records the result, which raises the alert of a broken audit log. The exit code is 1 if
    there are faults."""
    from idp.audit import chain, verification
    from idp.vault import Vault

    runtime = connect().runtime
    keys = tuple(path.read_text(encoding="utf-8").strip() for path in key_files)
    with runtime.one_session():
        chain.seal_all(runtime)
    with unit_of_work(runtime) as work:
        work.vault = Vault(replace(work.settings, audit_keys=work.settings.audit_keys + keys))
        found = verification.verify(work)
        verification.record(work, found)
    if as_json:
        show_json(
            {
                "sealed": found.sealed,
                "archived": found.archived,
                "unsealed": found.unsealed,
                "oldest_unsealed": found.oldest_unsealed,
                "faults": dict(found.faults),
                "fault": found.descriptions[0] if found.descriptions else None,
                "descriptions": found.descriptions,
            }
        )
    elif found.is_intact:
        archived = f", {found.archived} archived" if found.archived else ""
        click.echo(
            f"Integrity check passed: {found.sealed} records, {found.unsealed} not sealed"
            f" yet{archived}."
        )
    else:
        counts = ", ".join(f"{kind} {count}" for kind, count in found.faults.items())
        click.echo(f"Integrity check failed: {counts}.", err=True)
        for sentence in found.descriptions:
            click.echo(sentence, err=True)
    sys.exit(0 if found.is_intact else 1)


@audit.command()
def export() -> None:
    """Print all events as JSON lines, oldest first."""
    from idp.audit import trail

    with unit_of_work() as work:
        for line in trail.export(work):
            click.echo(line)


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """A file that only the owner can read, on the disk at the end of the block; after an error it
    is removed."""
    try:
        raw = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise click.ClickException(f"cannot create {path}: {error.strerror}") from None
    try:
        with raw:
            packed = gzip.GzipFile(fileobj=raw, mode="wb") if path.suffix == ".gz" else raw
            with io.TextIOWrapper(packed, encoding="utf-8") as text:
                yield text
                text.flush()
                if packed is not raw:
                    packed.close()
                raw.flush()
                os.fsync(raw.fileno())
    except BaseException:
        path.unlink()
        raise


@audit.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--before",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help="Date, UTC, such as 2030-01-31.",
)
def archive(file: Path, before: datetime) -> None:
    """Move the records before a date from the audit log to a new file, as JSON lines.

    The file is compressed if its name ends with .gz. The integrity check goes on from the last
    record that was moved. If the command is interrupted, run it again with another file."""
    from idp.audit import archive as archives
    from idp.audit import chain

    runtime = connect().runtime
    with runtime.one_session():
        chain.seal_all(runtime)
    # The file is complete and on the disk before the commit, and nothing is removed before that.
    with unit_of_work(runtime) as work, _new_file(file) as output:
        made = archives.write(work, before.replace(tzinfo=UTC), output)
    removed = 0
    while True:
        with unit_of_work(runtime) as work:
            deleted = archives.remove_batch(work)
        removed += deleted
        if deleted == 0:
            break
    if made is None:
        file.unlink()
        click.echo(f"No records to archive; {removed} of earlier archives removed.")
    else:
        click.echo(f"{made.events} records archived up to record {made.last}.")
        click.echo(f"SHA-256 of the records: {made.sha256}")


@click.command()
@as_json
def purge(as_json: bool) -> None:
    """Delete expired codes, tokens, sessions and messages. Events and accounts are kept."""
    from idp.maintenance import purge as purging

    runtime = connect().runtime
    counts: dict[str, int] = {}
    for name in purging.KINDS:
        while True:
            with unit_of_work(runtime) as work:
                deleted = purging.purge_batch(work, name)
            counts[name] = counts.get(name, 0) + deleted
            if deleted < purging.BATCH:
                break
    if as_json:
        show_json(counts)
    else:
        show_table(("what", "deleted"), counts.items(), empty="")
