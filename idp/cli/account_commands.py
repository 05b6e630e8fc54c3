"""``gateway account``: create, show, list, act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from idp.cli import machine_commands, operator
from idp.cli.cli_refusals import PersonDiffers
from idp.cli.common import (
    as_json,
    choice,
    connect,
    show_json,
    show_list,
    show_record,
    show_table,
    unit_of_work,
)
from idp.directory.directory_refusals import PersonRegisteredOtherwise
from idp.policy.console import ACTIONS, ConsoleRole
from idp.policy.registered_values import AccountKind, SecondAccountReason
from idp.policy.temporary_password import spelled

if TYPE_CHECKING:
    from idp.credentials.hashing import PasswordHasher
    from idp.models import Account
    from idp.transaction import UnitOfWork

SHOWN_EVENTS = 10


@click.group()
def account() -> None:
    """Accounts of people and machines."""


for command in (
    machine_commands.networks,
    machine_commands.keys,
    machine_commands.custodian,
    machine_commands.diagnose,
):
    account.add_command(command)


@account.command()
@click.option(
    "--username",
    default="",
    help="User name; permanent. Generated from the name of the person if omitted.",
)
@click.option(
    "--person-id",
    required=True,
    help="Person ID of the account holder, or of the custodian of a machine account.",
)
@click.option(
    "--given-name",
    default="",
    help="First name. A new person needs a first or last name.",
)
@click.option("--middle-name", default="")
@click.option("--family-name", default="", help="Last name.")
@click.option("--preferred-name", default="")
@click.option("--email", default="", help="Required for a new person.")
@click.option("--phone", default="", help="Phone number in E.164 format, such as +14165550123.")
@click.option("--kind", type=choice(AccountKind), default="personal")
@click.option("--locale", type=choice(["en", "fr"]), default="en")
@click.option(
    "--second-reason",
    type=choice(SecondAccountReason),
    help="Reason for a second personal account.",
)
@click.option("--second-participant", help="Participant of the second account.")
@operator.as_operator()
@as_json
def create(
    username: str,
    kind: str,
    locale: str,
    second_reason: str | None,
    second_participant: str | None,
    as_json: bool,
    **person: str,
) -> None:
    """Create a pending account and queue its activation mail.

    Without --username, the gateway generates the UserID from the person's name, or takes the next
    machine ID. A second personal account requires a reason and one participant."""
    from idp.directory import account_creation, accounts, participants
    from idp.directory.account_creation import AccountRequest
    from idp.directory.second_accounts import SecondAccountGrounds

    if (second_reason is None) != (second_participant is None):
        raise click.UsageError("Use --second-reason and --second-participant together.")
    with unit_of_work() as work:
        second = None
        if second_reason and second_participant:
            only = participants.by_number(work, second_participant)
            second = SecondAccountGrounds.of(second_reason, only)
        try:
            made = account_creation.create(
                work,
                AccountRequest(
                    person=accounts.NewPerson(**person),
                    kind=AccountKind(kind),
                    username=username,
                    locale=locale,
                    second=second,
                ),
            )
        except PersonRegisteredOtherwise as refusal:
            raise PersonDiffers(refusal.person_id, refusal.names) from refusal
        record = _describe(made)
    if as_json:
        show_json(record)
    else:
        click.echo(f"{record['username']} is pending. The activation e-mail is queued.")


@account.command()
@click.argument("username")
@as_json
def show(username: str, as_json: bool) -> None:
    """Show an account with its state, role groups and recent events."""
    from idp.directory import accounts

    with unit_of_work() as work:
        row = accounts.by_username(work, username)
        record = _describe(row) | {"role_groups": _role_groups(work, row)}
        record["last_events"] = _last_events(work, row)
    if as_json:
        show_json(record)
        return
    groups, events = record.pop("role_groups"), record.pop("last_events")
    show_record(record)
    show_table(
        ("participant", "role group", "since"),
        ((g["participant"], g["role_group"], g["since"]) for g in groups),
        empty="No role groups.",
    )
    show_table(
        ("when", "event", "outcome", "reason", "from"),
        ((e["at"], e["name"], e["outcome"], e["reason"], e["ip"]) for e in events),
        empty="No events.",
    )


@account.command("list")
@click.option("--after", default="", help="Start after this user name.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of accounts.")
@as_json
def list_accounts(after: str, limit: int | None, as_json: bool) -> None:
    """List accounts by user name.

    For the next page, pass the last user name: --limit 100 --after NAME."""
    from idp.directory import accounts

    columns = ("username", "kind", "state", "name", "email", "person_id")
    with unit_of_work() as work:
        rows = accounts.stream_accounts(work, after=after, limit=limit)
        show_list(columns, map(_describe, rows), as_json=as_json, empty="No accounts.")


@account.command()
@click.argument("username")
@click.option("--reason", type=choice(SecondAccountReason), required=True, help="Why it exists.")
@click.option("--participant", required=True, help="The only participant for which it acts.")
@operator.as_operator()
@as_json
def second(username: str, reason: str, participant: str, as_json: bool) -> None:
    """State why somebody has a second account that is older than the rule.

    Such accounts have the reason `unstated`. What is stated once does not change."""
    from idp.directory import accounts, participants, second_accounts
    from idp.directory.second_accounts import SecondAccountGrounds

    with unit_of_work() as work:
        row = accounts.by_username(work, username)
        second_accounts.state_reason(
            work, row, SecondAccountGrounds.of(reason, participants.by_number(work, participant))
        )
        record = _describe(row)
    if as_json:
        show_json(record)
    else:
        click.echo(f"{username} is a second account ({reason}) for participant {participant}.")


@account.command()
@click.argument("action", type=choice(sorted(ACTIONS)))
@click.argument("username")
@click.option("--reason", required=True, help="Reason. Recorded in the audit log.")
@click.option("--ticket", required=True, help="Ticket reference. Recorded in the audit log.")
@operator.as_operator(*ConsoleRole)
def act(action: str, username: str, reason: str, ticket: str) -> None:
    """Perform a console action on any account, also where the console does not allow it.

    The account holder receives an e-mail. A temporary password is printed only once."""
    from idp.directory import accounts

    base = connect()
    with unit_of_work(base.runtime) as work:
        row = accounts.by_username(work, username)
        password = _order(work, base.hasher, action, row, reason, ticket)
        state = row.state
    if password is not None:
        click.echo(password)
        click.echo(" ".join(word for _, word, _ in spelled(password)), err=True)
    else:
        click.echo(f"{username}: {action} succeeded. State: {state}.")


def _order(
    work: UnitOfWork, hasher: PasswordHasher, action: str, row: Account, reason: str, ticket: str
) -> str | None:
    """Execute the action as the operator named by ``--as``, with the rules of the console, or else
    with the rights of the shell."""
    from idp.directory import held_role_groups
    from idp.helpdesk import account_actions

    agent = operator.named(work)
    if agent is None:
        return account_actions.apply(work, hasher, action, row, reason=reason, ticket=ticket)
    order = account_actions.ActionRequest(
        agent, held_role_groups.console_roles(work, agent), action, reason, ticket
    )
    return account_actions.execute(work, hasher, order, row)


def _describe(row: Account) -> dict[str, Any]:
    return {
        "username": row.username,
        "subject": row.subject,
        "kind": str(row.kind),
        "second_reason": row.second_reason or None,
        "second_participant": row.second_participant.number if row.second_participant else None,
        "state": str(row.state),
        "state_since": row.state_changed_at,
        "name": row.person.full_name,
        "email": row.person.email,
        "phone": row.person.phone,
        "person_id": row.person.person_id,
        "locale": row.locale,
        "created_at": row.created_at,
        "activated_at": row.activated_at,
        "password_changed_at": row.password_changed_at,
    }


def _role_groups(work: UnitOfWork, row: Account) -> list[dict[str, Any]]:
    from idp.directory import held_role_groups

    return [
        {
            "participant": held.participant.number,
            "role_group": held.role_group.name,
            "since": held.granted_at,
            "valid_from": held.valid_from,
            "valid_until": held.valid_until,
            "by": held.granted_by,
        }
        for held in held_role_groups.list_held(work, row)
    ]


def _last_events(work: UnitOfWork, row: Account) -> list[dict[str, Any]]:
    from idp.audit import trail

    keys = ("at", "name", "outcome", "reason", "ip", "client_id", "actor")
    events = trail.account_events(work, row, SHOWN_EVENTS)
    return [{key: getattr(event, key) for key in keys} for event in events]
