"""The sections of settings: their addresses, and the list at the side of each."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request, url_for
from flask_babel import lazy_gettext as _

from idp import current
from idp.models import AccountKind


@dataclass(frozen=True)
class Section:
    """A section. ``inside`` are the pages that belong to it."""

    endpoint: str
    text: object
    icon: str
    inside: tuple[str, ...] = ()
    for_machines: bool = False


SECTIONS = (
    Section("profile.settings", _("Profile"), "person"),
    Section("profile.change_password", _("Password"), "lock"),
    Section(
        "profile.factors",
        _("Extra verification"),
        "key",
        ("profile.own_factor", "profile.security_question", "profile.phone", "profile.verify"),
    ),
    Section("profile.sessions", _("Browsers and sessions"), "browser"),
    Section("profile.consents", _("Application access"), "apps"),
    Section("profile.preferences", _("Language"), "language"),
    Section(
        "profile.programs",
        _("Programs"),
        "program",
        ("profile.test_program", "profile.add_key"),
        for_machines=True,
    ),
)


def links() -> list[tuple[object, str, bool, str]]:
    """Text, address, whether it is the current one, and icon of each section of this account."""
    session = current.browser_session()
    is_machine = session is not None and session.account.kind == AccountKind.MACHINE
    here = request.endpoint
    return [
        (item.text, url_for(item.endpoint), here == item.endpoint or here in item.inside, item.icon)
        for item in SECTIONS
        if is_machine or not item.for_machines
    ]
