"""Convert a SCIM User to the columns of an export, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from idp.policy import phone_number as phones
from registration_bridge.body_rules import CORE
from registration_bridge.export_grant import Grant
from registration_bridge.user_schema import REGISTRATION

EXTENSION = str(REGISTRATION)
#: Columns of a CSV file; ``grants`` is "EMI Trader@109120; ...", ``networks`` is
#: "192.0.2.0/28=Control room; ...", ``state`` is active, suspended or closed;
#: ``secondAccount`` is "transmission_rights@109120".
COLUMNS = (
    "externalId", "userName", "personId", "accountKind", "givenName", "middleName", "familyName",
    "preferredName", "email", "phone", "language", "timezone", "grants", "networks", "state",
    "endDate", "secondAccount", "requestNumber", "sequence",
)  # fmt: skip
#: The path in a User of each attribute with one value.
PLACES = {
    "givenName": ("name", "givenName"),
    "middleName": ("name", "middleName"),
    "familyName": ("name", "familyName"),
    "preferredName": ("nickName",),
    "language": ("preferredLanguage",),
    "timezone": ("timezone",),
    "personId": (EXTENSION, "personId"),
    "accountKind": (EXTENSION, "accountKind"),
    "endDate": (EXTENSION, "endDate"),
    "externalId": ("externalId",),
    "userName": ("userName",),
}
#: Columns about the person, not about the account.
OF_PERSON = ("givenName", "middleName", "familyName", "preferredName", "email", "phone")
#: Values about the push itself, which are never compared.
CARRIED = ("requestNumber", "sequence")
LISTS_OF_EXTENSION = ("grants", "registeredNetworks")


def values_of(user: dict[str, Any]) -> dict[str, Any]:
    """A User by the names of ``COLUMNS``, without the values that it omits."""
    values: dict[str, Any] = {}
    for name, place in PLACES.items():
        part: Any = user
        for key in place:
            part = part.get(key) if part is not None else None
        if part is not None:
            values[name] = part
    if user.get("emails"):
        values["email"] = _chosen(user["emails"])
    if "phoneNumbers" in user:
        values["phone"] = phone_text(_chosen(user["phoneNumbers"])) if user["phoneNumbers"] else ""
    if "active" in user:
        values["state"] = "active" if user["active"] else "suspended"
    extension = user.get(EXTENSION) or {}
    if "grants" in extension:
        values["grants"] = sorted(map(Grant.of_scim, extension["grants"] or ()))
    if "registeredNetworks" in extension:
        rows = extension["registeredNetworks"] or ()
        values["networks"] = {row["value"]: row.get("label") or "" for row in rows}
    if extension.get("secondAccount"):
        second = extension["secondAccount"]
        values["secondAccount"] = f"{second['reason']}@{second.get('participantId') or ''}"
    for name in CARRIED:
        if extension.get(name) is not None:
            values[name] = extension[name]
    return values


def _chosen(rows: list[dict[str, Any]]) -> str:
    return str(next((row for row in rows if row.get("primary")), rows[0])["value"])


def user_of(values: dict[str, Any]) -> dict[str, Any]:
    """The User to create."""
    user: dict[str, Any] = {"schemas": [CORE, EXTENSION]}
    for name, place in PLACES.items():
        if values.get(name):
            part = user
            for key in place[:-1]:
                part = part.setdefault(key, {})
            part[place[-1]] = values[name]
    extension = user.setdefault(EXTENSION, {})
    for name in ("email", "phone", "grants", "networks"):
        if values.get(name):
            attribute, rows = _list_of(name, values[name])
            (extension if attribute in LISTS_OF_EXTENSION else user)[attribute] = rows
    if values.get("secondAccount"):
        extension["secondAccount"] = _second(values["secondAccount"])
    extension.update({name: values[name] for name in CARRIED if values.get(name)})
    user["active"] = values.get("state") != "suspended"
    return user


def changes_of(values: dict[str, Any], names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The PATCH operations that change these columns. With another custodian, all columns of the
    person are sent, because the present values belong to the former one."""
    names = list(names)
    if "personId" in names:
        names += [name for name in OF_PERSON if name in values and name not in names]
    for name in names:
        wanted = values[name]
        if name == "state":
            yield {"op": "replace", "path": "active", "value": wanted == "active"}
            continue
        value: Any
        if name == "secondAccount":
            # The gateway refuses it: it never changes.
            path, value = f"{EXTENSION}:{name}", _second(wanted)
        elif name in ("email", "phone", "grants", "networks"):
            attribute, value = _list_of(name, wanted)
            is_ours = attribute in LISTS_OF_EXTENSION
            path = f"{EXTENSION}:{attribute}" if is_ours else attribute
        else:
            place = PLACES[name]
            value = wanted
            path = f"{EXTENSION}:{place[1]}" if place[0] == EXTENSION else ".".join(place)
        if value:
            yield {"op": "replace", "path": path, "value": value}
        else:
            yield {"op": "remove", "path": path}
    for name in CARRIED:
        if values.get(name):
            yield {"op": "replace", "path": f"{EXTENSION}:{name}", "value": values[name]}


def _second(text: str) -> dict[str, str] | None:
    reason, _, number = text.partition("@")
    return {"reason": reason.strip(), "participantId": number.strip()} if text else None


def _list_of(name: str, value: Any) -> tuple[str, list[dict[str, Any]]]:
    """The attribute of SCIM that is a list."""
    if name == "email":
        return "emails", [{"value": value, "type": "work", "primary": True}]
    if name == "phone":
        rows = [{"value": value, "type": "work", "primary": True}] if value else []
        return "phoneNumbers", rows
    if name == "grants":
        return "grants", [grant.scim() for grant in value]
    networks = (
        {"value": net} | ({"label": label} if label else {}) for net, label in value.items()
    )
    return "registeredNetworks", list(networks)


def phone_text(text: str) -> str:
    """A phone number in the form that the gateway stores; unchanged if it is invalid."""
    number = text.removeprefix("tel:").replace(";ext=", " ext ")
    parsed = phones.parse(number)
    if parsed is None:
        return number
    return parsed.e164 + (f" ext {parsed.extension}" if parsed.extension else "")
