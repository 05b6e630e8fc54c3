"""The applications that the account may use (GW-05)."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from idp import current
from idp.directory import held_role_groups
from idp.models import AccountKind, BrowserSession
from idp.web.guard import needs_session


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/", "dashboard", dashboard)


@needs_session
def dashboard(session: BrowserSession) -> Response:
    """One tile for each relying party of which the account holds a role group, and no other."""
    is_machine = session.account.kind == AccountKind.MACHINE
    clients = (
        [] if is_machine else held_role_groups.list_applications(current.work(), session.account)
    )
    tiles = [
        {"name": client.name, "description": client.description, "url": client.home_url}
        for client in clients
    ]
    return Response(render_template("dashboard.html", tiles=tiles, is_machine=is_machine))
