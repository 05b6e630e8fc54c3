"""``gateway person``: what registration holds about people."""

from __future__ import annotations

from typing import Any

import click

from idp.cli.common import as_json, show_json, show_record, show_table, unit
from idp.cli.operator import as_operator
from idp.directory import persons
from idp.directory.persons import Changes
from idp.errors import NotFound
from idp.models import Person
from idp.transaction import UnitOfWork

FIELDS = ("given_name", "middle_name", "family_name", "preferred_name", "email", "phone")


@click.group()
def person() -> None:
    """People as registration knows them."""


@person.command()
@click.argument("person_id")
@as_json
def show(person_id: str, as_json: bool) -> None:
    """Show a person and the accounts held or in custody."""
    with unit() as work:
        row = _one(work, person_id)
        record: dict[str, Any] = {"person_id": row.person_id}
        record |= {name: getattr(row, name) for name in FIELDS}
        held = [
            {"username": one.username, "kind": str(one.kind), "state": str(one.state)}
            for one in persons.accounts_of(work, row)
        ]
    if as_json:
        show_json(record | {"accounts": held})
        return
    show_record(record)
    columns = ("username", "kind", "state")
    show_table(columns, ([one[c] for c in columns] for one in held), empty="No accounts.")


@person.command()
@click.argument("person_id")
@click.option("--given-name")
@click.option("--middle-name")
@click.option("--family-name")
@click.option("--preferred-name")
@click.option(
    "--email", help="Links that went to the old address end; a waiting activation goes out."
)
@click.option("--phone", help="Such as +14165550123 or 416 555 0123 ext 7; empty takes it away.")
@as_operator()
@as_json
def update(person_id: str, as_json: bool, **values: str | None) -> None:
    """Change what is registered; every account of the person shows it."""
    with unit() as work:
        changed = persons.update(work, _one(work, person_id), Changes(**values))
    if as_json:
        show_json({"person_id": person_id, "changed": changed})
    else:
        click.echo(f"{person_id}: {', '.join(changed) if changed else 'nothing'} changed.")


def _one(work: UnitOfWork, person_id: str) -> Person:
    row = persons.by_person_id(work, person_id)
    if row is None:
        raise NotFound(f"no person {person_id}")
    return row
