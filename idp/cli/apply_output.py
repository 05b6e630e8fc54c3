"""What ``gateway apply`` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import show_json

if TYPE_CHECKING:
    from idp.declarations.declared_file import Fault
    from idp.declarations.declared_run import Run

#: The number of names that are printed. JSON has all of them.
MAX_NAMES = 8
_SIGNS = {"created": "+", "disabled": "-", "ended": "-"}
_WORDS = {"participants": "participant", "role_groups": "role group", "clients": "client"}


def show_faults(faults: Sequence[Fault], *, as_json: bool) -> None:
    """Print all faults of a file."""
    if as_json:
        show_json({"faults": [{"line": one.line or None, "text": one.text} for one in faults]})
        return
    for one in faults:
        click.echo(str(one), err=True)
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    click.echo(f"refused: {count}. Nothing was changed.", err=True)


def record(run: Run, *, is_done: bool, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The run as JSON data for ``--json``."""
    return {
        "applied": is_done,
        "changes": [
            {
                "section": str(change.section),
                "name": change.name,
                "action": str(change.action),
                "fields": [
                    {"name": name, "now": before, "declared": after}
                    for name, before, after in change.fields
                ],
                "proposal": change.proposal if is_done and change.proposal else None,
            }
            for change in run.changes
        ],
        "waiting": run.waiting,
        "not_in_the_file": {str(section): names for section, names in run.unnamed.items()},
        "client_secrets": dict(secrets),
    }


def show_plan(run: Run) -> None:
    """Print what would change, and what is not in the file and stays unchanged."""
    for change in run.changes:
        sign = _SIGNS.get(change.action, "~")
        click.echo(f"{sign} {_WORDS[change.section]} {change.name}: {change.action}")
        for name, before, after in change.fields:
            click.echo(f"    {name}: {_difference(before, after)}")
    for client_id, proposal in run.waiting.items():
        click.echo(f"  client {client_id}: proposal {proposal} waits for another operator")
    if not run.changes:
        click.echo("No changes.")
    for section, names in run.unnamed.items():
        shown = ", ".join(names[:MAX_NAMES])
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        plural = "s" if len(names) > 1 else ""
        click.echo(f"Not in the file, left as is: {_WORDS[section]}{plural} {shown}{more}")


def _difference(before: Any, after: Any) -> str:
    if isinstance(after, list | tuple) and all(isinstance(item, str) for item in after):
        known = list(before or ())
        signs = [f"+{item}" for item in after if item not in known]
        signs += [f"-{item}" for item in known if item not in after]
        return "  ".join(signs) or "none"
    return _shown(after) if before in (None, "") else f"{_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if value not in (None, "") else "none"


def show_result(run: Run, secrets_file: Path | None) -> None:
    """Print the result and what remains to be done: proposals, secrets, placeholder addresses."""
    click.echo(f"Done: {len(run.changes)} change{'s' if len(run.changes) > 1 else ''}.")
    for change in run.changes:
        if change.proposal:
            click.echo(f"{change.name} needs another operator:")
            click.echo(f"  gateway client confirm {change.proposal} --as ANOTHER-OPERATOR")
    if run.secrets and secrets_file is not None:
        click.echo(f"The client secrets are in {secrets_file}.")
    elif run.secrets:
        click.echo("Save the client secrets now. They are not shown again.")
        for client_id, secret in run.secrets.items():
            click.echo(f"  {client_id}  {secret}")
    if examples := run.clients_with_placeholders():
        click.echo(f"Clients with example addresses: {', '.join(examples)}.")
        click.echo("To set the real ones, run it again with --address NAME=URL.")
