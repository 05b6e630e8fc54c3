"""``gateway role-group``: create, list, assign and revoke role groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from idp.cli.common import as_json, choice, show_json, show_list, unit_of_work
from idp.cli.operator import as_operator
from idp.mfa.second_factor_rule import Rule
from idp.policy.registered_values import AccountKind

if TYPE_CHECKING:
    from idp.models import Account, Participant, RoleGroup
    from idp.transaction import UnitOfWork

_who = click.option("--account", "username", required=True, help="User name of the account holder.")
_what = click.option("--role-group", "name", required=True, help="Role group.")
_whom = click.option(
    "--participant", "number", required=True, help="Participant number, such as 109120."
)


@click.group("role-group")
def role_group() -> None:
    """Role groups and their assignments."""


@role_group.command()
@click.argument("name")
@click.option("--description", default="")
@click.option("--name-fr", default="", help="Name on French pages. Empty for the name.")
@click.option("--description-fr", default="", help="Description on French pages.")
@click.option("--kind", type=choice(AccountKind), default="personal", help="Account type.")
@click.option(
    "--client",
    "client_ids",
    multiple=True,
    help="Relying party that can see it. Repeat for several.",
)
@click.option(
    "--participation",
    default="",
    help="Market or program in which the participant must participate.",
)
@as_operator()
@as_json
def create(
    name: str,
    description: str,
    name_fr: str,
    description_fr: str,
    kind: str,
    client_ids: tuple[str, ...],
    participation: str,
    as_json: bool,
) -> None:
    """Create a role group. Without --client, only the gateway sees it."""
    from idp.clients import registry
    from idp.directory import role_groups

    with unit_of_work() as work:
        seen_by = [registry.get(work, client_id) for client_id in client_ids]
        made = role_groups.create(
            work,
            name,
            description=description,
            name_fr=name_fr,
            description_fr=description_fr,
            kind=kind,
            clients=seen_by,
            participation=participation,
        )
        record = {
            "name": name,
            "description": description,
            "name_fr": name_fr,
            "description_fr": description_fr,
            "kind": kind,
            "clients": list(client_ids),
            "participation": made.participation,
        }
    show_json(record) if as_json else click.echo(f"{name} was created.")


@role_group.command("set")
@click.argument("name")
@click.option(
    "--second-factor",
    type=choice(["default", *Rule]),
    help="Extra verification rule. Default: the rule of the environment.",
)
@click.option(
    "--participation",
    help="Market or program in which the participant must participate. Empty for none.",
)
@click.option("--description", help="Description.")
@click.option("--name-fr", help="Name on French pages. Empty for the name.")
@click.option("--description-fr", help="Description on French pages.")
@as_operator()
@as_json
def set_group(
    name: str,
    second_factor: str | None,
    participation: str | None,
    as_json: bool,
    **given: str | None,
) -> None:
    """Change the rules and texts of a role group."""
    from idp.directory import participations, role_groups

    texts = {key: text for key, text in given.items() if text is not None}
    if second_factor is None and participation is None and not texts:
        raise click.UsageError(
            "Nothing to change. Use --second-factor, --participation, --description, --name-fr "
            "or --description-fr."
        )
    with unit_of_work() as work:
        group = role_groups.by_name(work, name)
        if second_factor is not None:
            role_groups.set_rule(work, group, second_factor.replace("default", ""))
        if participation is not None:
            participations.set_required(work, group, participation)
        if texts:
            role_groups.describe(work, group, **texts)
        record = {
            "name": name,
            "second_factor": group.second_factor or "default",
            "participation": group.participation,
            **texts,
        }
    if as_json:
        show_json(record)
    else:
        changes = _changes(second_factor, participation, texts)
        click.echo(f"{name}: {', '.join(changes)}.")


def _changes(rule: str | None, participation: str | None, texts: dict[str, str]) -> Iterator[str]:
    if rule is not None:
        yield f"extra verification {rule}"
    if participation is not None:
        yield f"required participation {participation or 'none'}"
    for key, text in texts.items():
        yield f"{key.replace('_fr', ' in French')} {text or 'none'}"


@role_group.command("list")
@as_json
def list_groups(as_json: bool) -> None:
    """List all role groups and the relying parties that see them."""
    from idp.directory import role_groups

    columns = ("name", "kind", "clients", "second_factor", "participation", "description")
    with unit_of_work() as work:
        records = (
            {
                "name": g.name,
                "kind": g.kind,
                "second_factor": g.second_factor or "default",
                "participation": g.participation,
                "description": g.description,
                "name_fr": g.name_fr,
                "description_fr": g.description_fr,
                "clients": seen_by,
            }
            for g, seen_by in role_groups.list_role_groups(work)
        )
        show_list(columns, records, as_json=as_json, empty="No role groups.")


@role_group.command()
@_who
@_what
@_whom
@as_operator()
@as_json
def assign(username: str, name: str, number: str, as_json: bool) -> None:
    """Assign a role group to an account for a registered participant."""
    from idp.directory import role_group_assignments

    with unit_of_work() as work:
        changed = role_group_assignments.assign(work, *_named(work, username, name, number))
    _report(username, name, number, as_json, changed=changed, held=True)


@role_group.command()
@_who
@_what
@_whom
@as_operator()
@as_json
def revoke(username: str, name: str, number: str, as_json: bool) -> None:
    """Revoke a role group. New tokens no longer contain it."""
    from idp.directory import role_group_assignments

    with unit_of_work() as work:
        changed = role_group_assignments.revoke(work, *_named(work, username, name, number))
    _report(username, name, number, as_json, changed=changed, held=False)


def _named(
    work: UnitOfWork, username: str, name: str, number: str
) -> tuple[Account, RoleGroup, Participant]:
    from idp.directory import accounts, participants, role_groups

    return (
        accounts.by_username(work, username),
        role_groups.by_name(work, name),
        participants.by_number(work, number),
    )


def _report(
    username: str, name: str, number: str, as_json: bool, *, changed: bool, held: bool
) -> None:
    if as_json:
        show_json(
            {
                "account": username,
                "role_group": name,
                "participant": number,
                "held": held,
                "changed": changed,
            }
        )
        return
    words = "holds" if held else "does not hold"
    note = "" if changed else " (no change)"
    click.echo(f"{username} {words} {name} for {number}{note}")
