"""The names of roles in lists of choices."""

from __future__ import annotations

from flask_babel import gettext

from registration.role_grid import Column


def under_heading(column: Column) -> str:
    """The role under its market, as one text."""
    return str(gettext("%(market)s: %(role)s", market=column.heading, role=column.name))
