"""``gateway import``: the accounts of a new installation, from a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

import click

from idp.cli import file_progress
from idp.cli.common import as_json, connect, show_json, show_table, unit_of_work
from idp.cli.operator import as_operator

if TYPE_CHECKING:
    from idp.transaction import Runtime, UnitOfWork
    from registration_bridge.first_load import FirstLoad, Line, Outcome

#: How often a batch is repeated after a concurrent change.
RETRIES = 5
SHOWN = 50


class _RollBack(Exception):
    """Raised to roll back a dry run."""


@click.command("import")
@click.argument("file", type=click.File("rb", lazy=True))
@click.option(
    "--client-id",
    required=True,
    envvar="GATEWAY_CLIENT_ID",
    help="Client with the scope scim whose accounts these are.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be refused, and change nothing.")
@click.option("--stop-at-first-error", is_flag=True, help="Stop after the batch of a refused line.")
@as_operator()
@as_json
def import_(
    file: BinaryIO, client_id: str, dry_run: bool, stop_at_first_error: bool, as_json: bool
) -> None:
    """Create the accounts of FILE, the first load of an installation.

    FILE has a SCIM User in each line (JSON), as the registration system pushes it; "-" is standard
    input. The rules are those of a push by the client, and each account gets its activation e-mail.
    Register role groups and participants before, with `apply`.

    Accounts that the same line created before stay as they are, so that an interrupted load can be
    run again. Lines that are refused change nothing. The exit code is 1 if there are any."""
    from registration_bridge import first_load

    load = first_load.FirstLoad(client_id)
    runtime = connect().runtime
    counts = dict.fromkeys(map(str, first_load.Result), 0)
    refused: list[Outcome] = []
    with ExitStack() as stack:
        show = stack.enter_context(file_progress.shown(_size(file), "Importing", "lines"))
        trial = stack.enter_context(_trial(runtime)) if dry_run else None
        for batch in first_load.batches(first_load.lines(file)):
            found = _run(runtime, load, batch) if trial is None else load.run(trial, batch)
            for outcome in found:
                counts[outcome.result] += 1
            refused += [one for one in found if one.result is first_load.Result.REFUSED]
            show(file_progress.Progress(batch[-1].end, batch[-1].number))
            if refused and stop_at_first_error:
                break
    _show(counts, refused, dry_run=dry_run, as_json=as_json)
    if refused:
        raise SystemExit(1)


def _size(file: BinaryIO) -> int | None:
    """The size of a file; None for a pipe."""
    with suppress(OSError):
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode):
            return found.st_size
    return None


@contextmanager
def _trial(runtime: Runtime) -> Iterator[UnitOfWork]:
    """One transaction for all lines, which may need each other, that is rolled back."""
    with suppress(_RollBack), unit_of_work(runtime) as work:
        yield work
        raise _RollBack


def _run(runtime: Runtime, load: FirstLoad, batch: list[Line]) -> list[Outcome]:
    """One batch in one transaction."""
    from idp.errors import Collision
    from idp.transaction import DatabaseError, is_contention

    for left in range(RETRIES, -1, -1):
        try:
            with unit_of_work(runtime) as work:
                return load.run(work, batch)
        except Collision:
            if not left:
                raise
        except DatabaseError as error:
            if not left or not is_contention(error):
                raise
    raise AssertionError("not reached")


def _show(counts: dict[str, int], refused: list[Outcome], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "line": one.line,
                "account": one.account,
                "status": one.status,
                "scimType": one.kind or None,
                "detail": one.detail,
            }
            for one in refused
        ]
        show_json({"dry_run": dry_run, **counts, "refusals": rows})
        return
    if refused:
        table = ((str(one.line), one.account, _words(one)) for one in refused[:SHOWN])
        show_table(("line", "account", "refused"), table, empty="")
        if len(refused) > SHOWN:
            click.echo(f"and {len(refused) - SHOWN} more. To show all, use --json.")
    would = " would be" if dry_run else ""
    click.echo(
        f"{counts['created']}{would} created, {counts['unchanged']} unchanged, "
        f"{counts['refused']}{would} refused"
    )
    if dry_run:
        click.echo("Dry run: nothing was changed.")


def _words(one: Outcome) -> str:
    return f"{one.status}: {one.detail}"
