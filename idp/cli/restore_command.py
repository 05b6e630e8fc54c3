"""``gateway restore``: after a backup was put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from idp.cli.common import application, as_json, show_json, show_table, unit
from idp.maintenance import restoration as service
from idp.maintenance.restoration import Restored
from idp.vault import Vault

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--reason", required=True, help="Why it was restored; kept in the trail.")
@click.option(
    "--trail", "exports", multiple=True, type=_FILE,
    help="Export of the trail that is newer than the backup; may be repeated.",
)  # fmt: skip
@click.option(
    "--key", "key_files", multiple=True, type=_FILE,
    help="File with an earlier IDP_SECRET_KEY that made seals; may be repeated.",
)  # fmt: skip
@as_json
def restore(
    reason: str, exports: tuple[Path, ...], key_files: tuple[Path, ...], as_json: bool
) -> None:
    """End what an older backup brings back to life, before the gateway serves it.

    Sessions, tokens, codes, links, temporary passwords and waiting mails end; people who still have
    to activate get a new link by mail. With an export of the trail, what was suspended, closed,
    revoked or replaced since the backup is so again. Ends with 1 when something could not be done
    again.

    Run it while neither gateway nor worker runs."""
    keys = tuple(path.read_text(encoding="utf-8").strip() for path in key_files)
    with unit(application()) as work:
        work.vault = Vault(replace(work.settings, audit_keys=work.settings.audit_keys + keys))
        found = service.finish(work, why=reason, lines=_lines(exports) if exports else None)
    _show_json(found) if as_json else _show(found)
    if found.redone.refused:
        raise SystemExit(1)


def _lines(paths: tuple[Path, ...]) -> Iterator[str]:
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            yield from lines


def _show_json(found: Restored) -> None:
    show_json(
        {
            "ended": found.ended,
            "invited": found.invited,
            "lost": found.lost.named() if found.lost else None,
            "redone": dict(found.redone.done),
            "refused": found.redone.refused,
            "unknown_accounts": found.unknown,
        }
    )


def _show(found: Restored) -> None:
    show_table(("ended", "how many"), found.ended.items(), empty="")
    click.echo(f"{found.invited} people who still have to activate were mailed a new link.")
    if found.lost is None:
        click.echo(
            "Without --trail nothing is known of what was suspended, closed, revoked or replaced "
            "since the backup: compare with the registration system (gateway scim diff)."
        )
        return
    click.echo(f"The export holds {len(found.lost.events)} events that are not here.")
    show_table(("done again", "how many"), found.redone.done.items(), empty="Nothing to do again.")
    for sentence in found.redone.refused:
        click.echo(f"not done again: {sentence}", err=True)
    if found.unknown:
        click.echo("Accounts that were made since the backup and are not here:")
        for name in found.unknown:
            click.echo(f"  {name}")
