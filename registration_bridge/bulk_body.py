"""Normalise a Bulk: each operation is treated like a single request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scim2_models import SCIMException

from registration_bridge.body_rules import PLACES, id_of, place_of
from registration_bridge.mapping_profile import Profile
from registration_bridge.normalise import (
    normalise_patch,
    normalise_resource,
    operations_of,
    parse,
)
from registration_bridge.request_context import MAX_BULK_BODY


@dataclass
class BulkBody:
    """A normalised Bulk: the number of operations, those already refused (with the reason), and
    those that change nothing."""

    body: bytes
    count: int
    faults: dict[int, SCIMException]
    empty: frozenset[int]


def read_bulk(body: bytes, profile: Profile | None = None) -> BulkBody:
    """Normalise each operation of a Bulk like a single request. Raises the errors of SCIM for the
    whole Bulk. Errors of one operation are for its own answer."""
    value = parse(body, MAX_BULK_BODY)
    operations = operations_of(value)
    faults: dict[int, SCIMException] = {}
    empty: set[int] = set()
    if isinstance(operations, list):
        for index, entry in enumerate(operations):
            try:
                if _bulk_operation(entry, profile):
                    empty.add(index)
            except SCIMException as error:
                faults[index] = error
    count = len(operations) if isinstance(operations, list) else 1
    return BulkBody(json.dumps(value).encode(), count, faults, frozenset(empty))


def _bulk_operation(entry: Any, profile: Profile | None) -> bool:
    """Normalise one operation in place. True for a PATCH that then has no operations."""
    if not isinstance(entry, dict):
        return False
    names = {name.casefold(): name for name in entry}
    method = str(entry.get(names.get("method", ""), "")).upper()
    path = str(entry.get(names.get("path", ""), "")).removesuffix("/")
    rules = PLACES.get(place_of(path))
    if "method" in names:
        entry[names["method"]] = method
    if isinstance(entry.get(names.get("path", "")), str):
        entry[names["path"]] = path
    if rules is None or "data" not in names or method not in ("POST", "PUT", "PATCH"):
        return False
    data, rules = entry[names["data"]], rules.of(profile)
    if method != "PATCH":
        entry[names["data"]] = normalise_resource(data, rules, is_new=method == "POST")
        return False
    entry[names["data"]] = left = normalise_patch(data, rules, id_of(path))
    return not left["Operations"]
