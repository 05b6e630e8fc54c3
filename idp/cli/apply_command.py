"""``gateway apply`` and ``gateway export``: clients, role groups and participants from a file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from idp.cli import apply_output
from idp.cli.common import as_json, connect, show_json, unit_of_work
from idp.cli.operator import as_operator
from idp.declarations import builtin_sets

if TYPE_CHECKING:
    from idp.declarations.declared_file import Declaration
    from idp.declarations.declared_run import Run
    from idp.transaction import Runtime

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _RollBack(Exception):
    """Raised to roll back a dry run."""


@click.command()
@click.argument("file", required=False, type=_FILE)
@click.option(
    "--builtin", type=click.Choice(builtin_sets.NAMES), help="Use this set of the package."
)
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="NAME=URL",
    help="Replace an address of the file. Repeat for several.",
)
@click.option("--print", "print_only", is_flag=True, help="Print the file and do nothing.")
@click.option("--dry-run", is_flag=True, help="Show the changes and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--prune", is_flag=True, help="Disable the clients that the file does not name.")
@click.option(
    "--secrets",
    "secrets_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write new client secrets to this new file (mode 600) instead of the terminal.",
)
@as_operator()
@as_json
def apply(
    file: Path | None,
    builtin: str | None,
    addresses: tuple[str, ...],
    print_only: bool,
    dry_run: bool,
    yes: bool,
    prune: bool,
    secrets_file: Path | None,
    as_json: bool,
) -> None:
    """Make clients, role groups and participants as FILE (YAML) says.

    The changes are shown first, then made in one transaction. What the file does not name stays as
    it is, and nothing is deleted. A second run changes nothing."""
    from idp.declarations import declared_file, declared_run

    text = _text(file, builtin)
    if print_only:
        click.echo(text, nl=False)
        return
    if as_json and not (yes or dry_run):
        raise click.UsageError("Use --yes or --dry-run with --json.")
    declared = declared_file.read(
        text, _addresses(addresses), folder=file.parent if file else Path()
    )
    try:
        run, is_done = _run(
            declared, secrets_file, ask=not yes, dry_run=dry_run, prune=prune, say=not as_json
        )
    except declared_run.FaultyDeclaration as error:
        apply_output.show_faults(error.faults, as_json=as_json)
        sys.exit(1)
    if as_json:
        shown = run.secrets if is_done and secrets_file is None else {}
        show_json(apply_output.record(run, is_done=is_done, secrets=shown))
    elif is_done:
        apply_output.show_result(run, secrets_file)


@click.command()
def export() -> None:
    """Print clients, role groups and participants as YAML for `gateway apply`, without secrets."""
    import yaml

    from idp.declarations import declared_state

    with unit_of_work() as work:
        state = declared_state.export(work)
    # In C where PyYAML has it.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(state, Dumper=dumper, sort_keys=False, allow_unicode=True, width=100)
    click.echo(text, nl=False)


def _text(file: Path | None, builtin: str | None) -> str:
    if builtin is not None and file is None:
        return builtin_sets.text_of(builtin)
    if builtin is not None or file is None:
        raise click.UsageError("Name a FILE, or a set of the package with --builtin.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file} is not a text in UTF-8.") from error


def _addresses(given: Iterable[str]) -> dict[str, str]:
    found = dict(entry.partition("=")[::2] for entry in given)
    if not all(found.values()):
        raise click.UsageError("Write --address NAME=URL.")
    return found


def _run(
    declared: Declaration,
    secrets_file: Path | None,
    *,
    ask: bool,
    dry_run: bool,
    prune: bool,
    say: bool,
) -> tuple[Run, bool]:
    """The run, and whether its changes were made."""
    runtime = connect().runtime
    planned = _plan(runtime, declared, prune=prune)
    if say:
        apply_output.show_plan(planned)
    if dry_run or not planned.changes:
        return planned, False
    if ask:
        click.confirm("Make these changes?", abort=True)
    return _make(runtime, declared, planned, secrets_file, prune=prune), True


def _plan(runtime: Runtime, declared: Declaration, *, prune: bool) -> Run:
    """Find what would change. The run is rolled back, including its mails and events."""
    from idp.declarations import declared_changes

    found: list[Run] = []
    with suppress(_RollBack), unit_of_work(runtime) as work:
        found.append(declared_changes.apply(work, declared, prune=prune))
        raise _RollBack
    return found[0]


def _make(
    runtime: Runtime,
    declared: Declaration,
    planned: Run,
    secrets_file: Path | None,
    *,
    prune: bool,
) -> Run:
    """Make the changes. Raises ClickException if they differ from those that were shown."""
    from idp.declarations import declared_changes

    with unit_of_work(runtime) as work:
        done = declared_changes.apply(work, declared, prune=prune)
        if done.changes != planned.changes:
            raise click.ClickException(
                "The gateway has changed since the changes were shown. Start again."
            )
        # Before the commit: a secret that cannot be written is not issued.
        if secrets_file is not None and done.secrets:
            _write_secrets(secrets_file, done.secrets)
    return done


def _write_secrets(path: Path, secrets: Mapping[str, str]) -> None:
    """Write a new file that only its owner can read. Raises UsageError if it exists or cannot be
    written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(secrets, file, indent=2)
            file.write("\n")
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}. Nothing was changed.") from error
