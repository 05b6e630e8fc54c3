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


class FieldType(StrEnum):
    """The type of a field's value in the file."""

    TEXT = "text"
    FLAG = "true or false"
    LIST = "a list"
    #: A mapping of kinds to lists of texts.
    LISTS = "lists by kind"
    #: The name of an image (``logos.read``); the value is its content.
    IMAGE = "an image"


#: By field: the text that resets the field, as on the command line, and the value that it stores.
RESET_VALUES: dict[str, tuple[str, str | None]] = {
    "minimum_acr": ("none", None),
    "logo": ("none", None),
    "second_factor": ("default", ""),
    "push_person_id": ("extension", ""),
    "tls_subject_field": ("none", ""),
    "userinfo_alg": ("none", ""),
    "id_token_encryption_alg": ("none", ""),
    "userinfo_encryption_alg": ("none", ""),
}


def _type(default: Any) -> FieldType:
    if isinstance(default, bool):
        return FieldType.FLAG
    return FieldType.LIST if isinstance(default, tuple) else FieldType.TEXT


FIELDS: dict[Section, dict[str, FieldType]] = {
    Section.PARTICIPANTS: {
        "name": FieldType.TEXT,
        "ended": FieldType.FLAG,
        #: Names of markets, programs and services, by kind.
        "participations": FieldType.LISTS,
        #: Person IDs, by function.
        "contacts": FieldType.LISTS,
    },
    Section.ROLE_GROUPS: {
        "description": FieldType.TEXT,
        "name_fr": FieldType.TEXT,
        "description_fr": FieldType.TEXT,
        "kind": FieldType.TEXT,
        "participation": FieldType.TEXT,
        "second_factor": FieldType.TEXT,
    },
    Section.CLIENTS: {item.name: _type(item.default) for item in fields(ClientData)}
    | {"logo": FieldType.IMAGE, "disabled": FieldType.FLAG},
}
