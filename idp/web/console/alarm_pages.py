"""Alarms, and the mass-change circuit breaker of registration."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.directory import mass_change_breaker
from idp.maintenance import alarms as service
from idp.web.console import confirmation, event_words, gate, listing
from idp.web.console.listing import ListView


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/alarms", "alarms", alarms)
    pages.add_url_rule(
        "/alarms/breaker", "confirm_mass_change", confirm_mass_change, methods=["POST"]
    )


def alarms() -> BaseResponse:
    """The circuit breaker, and all alarms."""
    work, asked = current.work(), listing.asked_filters("name")
    view = ListView(
        "console.alarms", service.page(work, listing.asked_page(), asked["name"]), asked
    )
    body = render_template(
        "console/alarms.html",
        view=view,
        names=[(str(name), event_words.event_name(name)) for name in service.ALL],
        unsealed=service.unsealed_since(work),
        breaker=mass_change_breaker.status(work),
        may_confirm=gate.operator().may_open("console.confirm_mass_change"),
    )
    return Response(body)


def confirm_mass_change() -> BaseResponse:
    """Reset the mass-change circuit breaker, so that registration can continue."""
    entered = confirmation.entered()
    why = ", ".join(part for part in (entered.reason, entered.details, entered.ticket) if part)
    mass_change_breaker.confirm(current.work(), why)
    flash(gettext("The circuit breaker is reset. Registration can continue."))
    return redirect(url_for("console.alarms"), code=303)
