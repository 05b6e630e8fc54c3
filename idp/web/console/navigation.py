"""The navigation of the console: its entries, and which of them an operator may open."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from flask import request, url_for
from flask_babel import lazy_gettext as _

from idp.web.console.gate import Operator


@dataclass(frozen=True)
class Place:
    """A link in the navigation. ``inside`` names further endpoints on which it is marked as
    current."""

    group: int
    endpoint: str
    text: object
    icon: str
    inside: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the page of this request is this place."""
        return request.endpoint == self.endpoint

    @property
    def is_current(self) -> bool:
        """Whether the page of this request is this place or belongs to it."""
        return self.is_open or request.endpoint in self.inside


PLACES = (
    Place(1, "console.home", _("Home"), "home"),
    Place(
        1,
        "console.people",
        _("People"),
        "people",
        (
            "console.account",
            "console.account_tab",
            "console.new_account",
            "console.correct_person",
            "console.act",
            "console.verify_caller",
            "console.deny_caller",
            "console.send_code",
            "console.check_code",
            "console.grant",
            "console.revoke",
            "console.change_custodian",
            "console.end_session",
            "console.remove_machine_key",
        ),
    ),
    Place(
        1,
        "console.clients",
        _("Applications"),
        "apps",
        (
            "console.client",
            "console.new_client",
            "console.update_client",
            "console.upload_logo",
            "console.set_logo",
            "console.rotate_secret",
            "console.disable_client",
            "console.end_old_secret",
            "console.withdraw_proposal",
            "console.proposals",
            "console.confirm_proposal",
            "console.initial_tokens",
            "console.issue_initial_token",
            "console.revoke_initial_token",
        ),
    ),
    Place(
        1,
        "console.groups",
        _("Role groups"),
        "groups",
        (
            "console.group",
            "console.new_group",
            "console.add_member",
            "console.set_rule",
            "console.describe_group",
        ),
    ),
    Place(
        1,
        "console.participants",
        _("Participants"),
        "building",
        ("console.participant", "console.set_contact"),
    ),
    Place(1, "console.messages", _("Messages"), "mail"),
    Place(1, "console.trail", _("Audit log"), "log", ("console.verify_trail",)),
    Place(1, "console.alarms", _("Alarms"), "bell", ("console.confirm_mass_change",)),
    Place(2, "console.report", _("Access report"), "report"),
    Place(2, "console.keys", _("Keys"), "key", ("console.rotate_key", "console.revoke_key")),
    Place(2, "console.settings", _("Settings"), "settings"),
)


def places(operator: Operator) -> list[Place]:
    """The places that the operator may open, in order."""
    return [place for place in PLACES if operator.may_open(place.endpoint)]


def menu(places: list[Place]) -> list[list[tuple[object, str, str, str]]]:
    """Their groups, each with text, address, whether it is current ("page" or "inside"), icon."""
    return [
        [
            (
                place.text,
                url_for(place.endpoint),
                "" if not place.is_current else "page" if place.is_open else "inside",
                place.icon,
            )
            for place in group
        ]
        for _number, group in groupby(places, lambda place: place.group)
    ]
