"""Export the current state as a declaration. Applying it to the same gateway changes nothing."""

from __future__ import annotations

import json
from typing import Any

from idp.clients import client_data, logos, registry
from idp.declarations.declared_directory import describe_participant, describe_role_group
from idp.declarations.declared_fields import FIELDS, RESET_VALUES, Section
from idp.directory import participants, role_groups
from idp.models import Client
from idp.transaction import UnitOfWork


def export(work: UnitOfWork) -> dict[str, dict[str, dict[str, Any]]]:
    """All clients, role groups and participants, by section and name, without secrets."""
    return {
        Section.PARTICIPANTS.value: {
            row.number: describe_participant(work, row) | {"ended": row.ended_at is not None}
            for rows in participants.stream_pages(work)
            for row in rows
        },
        Section.ROLE_GROUPS.value: {
            group.name: _written(describe_role_group(group))
            for group, _ in role_groups.list_role_groups(work)
        },
        Section.CLIENTS.value: {
            client.client_id: _client(work, client) for client in registry.list_clients(work)
        },
    }


def _client(work: UnitOfWork, client: Client) -> dict[str, Any]:
    logo = logos.find(work, client.logo or "")
    values = client_data.describe(client) | {
        "logo": logos.data_uri(logo) if logo else None,
        "keys": [json.dumps(key, sort_keys=True) for key in client.keys],
        "role_groups": [group.name for group in client.role_groups],
    }
    return _written({name: values[name] for name in FIELDS[Section.CLIENTS]})


def _written(values: dict[str, Any]) -> dict[str, Any]:
    """The values in plain types, with the texts that ``declared_file`` reads."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        given, stored = RESET_VALUES.get(name, ("", ""))
        plain[name] = given if value == stored else value
        if isinstance(value, str):
            plain[name] = str(plain[name])
        elif isinstance(value, list):
            plain[name] = [str(item) for item in value]
    return plain
