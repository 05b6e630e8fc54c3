"""``gateway restore``: make a restored backup safe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from idp.cli.common import as_json, show_json, show_table, unit_of_work

if TYPE_CHECKING:
    from idp.maintenance.restoration import RestorationResult

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--reason", required=True, help="Reason. Recorded in the audit log.")
@click.option(
    "--trail", "exports", multiple=True, type=_FILE,
    help="Audit log export that is newer than the backup. Repeat for several.",
)  # fmt: skip
@click.option(
    "--key", "key_files", multiple=True, type=_FILE,
    help="File with a previous IDP_SECRET_KEY that sealed records. Repeat for several.",
)  # fmt: skip
@as_json
def restore(
    reason: str, exports: tuple[Path, ...], key_files: tuple[Path, ...], as_json: bool
) -> None:
    """Make a restored backup safe before you start the gateway.

    Ends sessions, tokens, codes, links, temporary passwords and queued messages. Sends new links to
    people who have not activated their account. With an audit log export, repeats suspensions,
    deactivations, revocations and replacements since the backup. The exit code is 1 if a change
    could not be repeated.

    Stop the gateway and the worker first."""
    from idp.maintenance import restoration as service
    from idp.vault import Vault

    keys = tuple(path.read_text(encoding="utf-8").strip() for path in key_files)
    with unit_of_work() as work:
        work.vault = Vault(replace(work.settings, audit_keys=work.settings.audit_keys + keys))
        found = service.complete(work, why=reason, lines=_lines(exports) if exports else None)
    _show_json(found) if as_json else _show(found)
    if found.redone.refused:
        raise SystemExit(1)


def _lines(paths: tuple[Path, ...]) -> Iterator[str]:
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            yield from lines


def _show_json(found: RestorationResult) -> None:
    show_json(
        {
            "ended": found.ended,
            "invited": found.invited,
            "lost": found.lost.summary() if found.lost else None,
            "redone": dict(found.redone.done),
            "refused": found.redone.refused,
            "unknown_accounts": found.unknown,
        }
    )


def _show(found: RestorationResult) -> None:
    show_table(("ended", "count"), found.ended.items(), empty="")
    click.echo(f"{found.invited} people with a pending account were sent a new activation link.")
    if found.lost is None:
        click.echo(
            "Without --trail, changes since the backup are not repeated. Compare with the "
            "registration system (gateway scim diff)."
        )
        return
    click.echo(f"The export contains {len(found.lost.events)} events that are not in the backup.")
    show_table(("repeated", "count"), found.redone.done.items(), empty="No changes to repeat.")
    for sentence in found.redone.refused:
        click.echo(f"not repeated: {sentence}", err=True)
    if found.unknown:
        click.echo("Accounts created since the backup that are missing:")
        for name in found.unknown:
            click.echo(f"  {name}")
