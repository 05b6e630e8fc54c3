"""What the page of the history calls roles, markets and offices, which entries have by their codes,
and the reasons that registration gives itself. Downloads keep what is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _

from hosted_pages.languages import is_french
from registration import current, expired_holdings, own_lists, participation_end
from registration.contact_assignments import ADDED, REMOVED
from registration.expired_holdings import CONTACT_ROLE
from registration.history_list import Entry
from registration.notice_texts import OFFICE_NAMES

#: By their names in an entry.
COUNTS = {
    "lines": _("lines: %(count)s"),
    "registered": _("new persons: %(count)s"),
    "granted": _("roles granted: %(count)s"),
}
REASONS = {
    participation_end.WHY: _("The participation has ended."),
    expired_holdings.WHY: _("The end that was set has passed."),
}
#: Their roles are contact roles.
OF_CONTACTS = (ADDED, REMOVED, CONTACT_ROLE)


class Names:
    """The names behind the codes of some entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        work, found = current.work(), list(entries)
        access = _codes(found, "role", is_contact=False)
        contacts = _codes(found, "role", is_contact=True)
        markets = _codes(found, "market", is_contact=False)
        self._access = _names(own_lists.access_roles(work, access) if access else ())
        self._contacts = _names(own_lists.contact_roles(work, contacts) if contacts else ())
        self._markets = _names(own_lists.markets(work, markets) if markets else ())
        offices = OFFICE_NAMES["fr" if is_french() else "en"]
        self._offices = {tier.value: name for tier, name in offices.items()}

    def before(self, entry: Entry) -> str:
        """The values of the entry before the change, as text."""
        return self._values(entry, entry.before)

    def after(self, entry: Entry) -> str:
        """Those after it."""
        return self._values(entry, entry.after)

    def reason(self, entry: Entry) -> str:
        """The reason of the entry."""
        return str(REASONS.get(entry.reason, entry.reason))

    def _values(self, entry: Entry, data: dict[str, Any]) -> str:
        """As text; of counts those that have a text."""
        named = {
            "role": self._contacts if entry.action in OF_CONTACTS else self._access,
            "market": self._markets,
            "office": self._offices,
        }
        found = []
        for name, value in data.items():
            if isinstance(value, str) and value:
                found.append(named.get(name, {}).get(value, value))
            elif isinstance(value, int) and name in COUNTS:
                found.append(str(COUNTS[name] % {"count": value}))
        return ", ".join(found)


def _codes(entries: list[Entry], name: str, *, is_contact: bool) -> set[str]:
    return {
        data[name]
        for one in entries
        for data in (one.before, one.after)
        if isinstance(data.get(name), str) and (one.action in OF_CONTACTS) is is_contact
    }


def _names(rows: Iterable[Any]) -> dict[str, str]:
    return {row.code: row.name_fr if is_french() else row.name for row in rows}
