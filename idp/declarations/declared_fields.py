"""The sections of a declaration and the fields of their entries."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from typing import Any

from idp.clients.client_data import ClientData


class Section(StrEnum):
    """The sections of a file, besides ``addresses``."""

    PARTICIPANTS = "participants"
    ROLE_GROUPS = "role_groups"
    CLIENTS = "clients"


class Form(StrEnum):
    """The type of a field's value in the file."""

    TEXT = "text"
    FLAG = "true or false"
    LIST = "a list"
    #: A mapping of kinds to lists of texts.
    LISTS = "lists by kind"


#: By field: the text that resets the field, as on the command line, and the value that it stores.
RESET: dict[str, tuple[str, str | None]] = {
    "minimum_acr": ("none", None),
    "second_factor": ("default", ""),
    "push_person_id": ("extension", ""),
}


def _form(default: Any) -> Form:
    if isinstance(default, bool):
        return Form.FLAG
    return Form.LIST if isinstance(default, tuple) else Form.TEXT


FIELDS: dict[Section, dict[str, Form]] = {
    Section.PARTICIPANTS: {
        "name": Form.TEXT,
        "ended": Form.FLAG,
        #: Names of markets, programs and services, by kind.
        "participations": Form.LISTS,
        #: Person IDs, by function.
        "contacts": Form.LISTS,
    },
    Section.ROLE_GROUPS: {
        "description": Form.TEXT,
        "name_fr": Form.TEXT,
        "description_fr": Form.TEXT,
        "kind": Form.TEXT,
        "participation": Form.TEXT,
        "second_factor": Form.TEXT,
    },
    Section.CLIENTS: {item.name: _form(item.default) for item in fields(ClientData)}
    | {"disabled": Form.FLAG},
}
