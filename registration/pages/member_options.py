"""The people of an organization as the options of a form."""

from __future__ import annotations

from flask_babel import gettext

from registration import current, own_lists
from registration.pages.standing import Standing
from registration.role_grid import plain


def members(here: Standing, but: str) -> list[tuple[str, str]]:
    """Everybody who belongs to the organization apart from ``but``, by name."""
    people = own_lists.persons(current.work(), here.members - {but})
    people.sort(key=lambda one: (plain(one.last_name), plain(one.first_name), one.person_id))
    return [("", gettext("Choose"))] + [
        (one.person_id, f"{one.last_name}, {one.first_name} ({one.person_id})") for one in people
    ]
