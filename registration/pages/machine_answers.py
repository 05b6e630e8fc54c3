"""What the pages of machine accounts share: the machine of the address, its networks as they were
typed, and the review before a confirmation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.texts import complete
from registration import current, dry_runs, kept_machines, network_entries
from registration.delegation import Refused, may
from registration.delegation_facts import Target
from registration.delegation_rules import Action, Reason
from registration.kept_machines import KeptMachine
from registration.machine_registry_refusals import MachineNotFound
from registration.models import Request
from registration.network_entries import EntryFault, LineFault, Network, NetworksInvalid
from registration.pages import change_lines, query_days, standing
from registration.pages.appointment_answers import answers
from registration.pages.standing import NotAllowed, NotHere, Standing
from service_base.network_rules import MAX_NETWORKS

FAULTS = complete(
    EntryFault,
    {
        EntryFault.FORM: _("Line %(line)s: %(text)s is not an IP address or network."),
        EntryFault.HOST_BITS: _(
            "Line %(line)s: %(text)s is a network with host bits. Enter its first address."
        ),
        EntryFault.MAPPED: _(
            "Line %(line)s: %(text)s is an IPv4 address written as IPv6. Enter it as IPv4."
        ),
        EntryFault.TOO_WIDE_IPV4: _("Line %(line)s: %(text)s is too wide. A /16 is the widest."),
        EntryFault.TOO_WIDE_IPV6: _("Line %(line)s: %(text)s is too wide. A /32 is the widest."),
        EntryFault.NO_HOST: _(
            "Line %(line)s: %(text)s is not the address of a workstation or server."
        ),
        EntryFault.LABEL: _(
            "Line %(line)s: the label has more than 60 characters, or others than letters, digits "
            "and signs."
        ),
        EntryFault.TWICE: _("Line %(line)s: %(text)s is there twice."),
        EntryFault.MISSING: _("Enter at least one address or network."),
        EntryFault.TOO_MANY: _("Enter at most %(most)s networks."),
    },
)
MAX_TEXT = 8000


@dataclass(frozen=True)
class Review:
    """What a review shows, and where its buttons lead."""

    title: str
    rows: Sequence[tuple[str, str]]
    confirm_url: str
    back: str
    #: Said before what the gateway names.
    effects: Sequence[str] = ()
    fields: Sequence[tuple[str, str]] = ()
    #: The text of the button that confirms.
    button: str = ""
    is_dangerous: bool = False


def at_machine(
    organization_id: str, machine_id: int, action: Action
) -> tuple[Standing, KeptMachine]:
    """The standing of the person who asks, and the machine to which he wants to do this. Raises
    NotHere, also for a machine of another organization, or NotAllowed."""
    here = standing.at(organization_id)
    if not here.may(action):
        raise NotAllowed(standing.refusal_of(here, action), here.here)
    try:
        machine = kept_machines.kept(current.work(), here.here, machine_id)
    except MachineNotFound as missing:
        raise NotHere from missing
    number = here.here.organization_id
    answer = may(here.actor, action, Target(number, "later", machine=machine.fact), here.facts)
    if isinstance(answer, Refused):
        if answer.reason is Reason.NOT_YOURS:
            raise NotHere
        raise NotAllowed(answer, here.here)
    return here, machine


def typed_networks() -> str:
    """The networks as they were typed."""
    return request.form.get("networks", "")[:MAX_TEXT]


def read_networks() -> tuple[Network, ...]:
    """The networks that were typed. Raises NetworksInvalid."""
    return network_entries.read(typed_networks())


def network_error(refused: NetworksInvalid) -> str:
    """Why they are refused, a sentence for each line."""
    return " ".join(_sentence(one) for one in refused.faults)


def network_text(networks: Sequence[Network]) -> str:
    """The networks, for a review."""
    return ", ".join(map(str, networks))


def revision() -> int:
    """The revision that the form showed; 0, which no machine has, if it cannot be read."""
    return query_days.number(request.form.get("revision", ""))


def machine_url(endpoint: str, here: Standing, machine_id: int, **more: Any) -> str:
    """The address of a page of this machine."""
    number = here.here.organization_id
    return url_for(endpoint, organization_id=number, machine_id=machine_id, **more)


def reviewed(here: Standing, act: Callable[[], Request], shown: Review) -> BaseResponse:
    """The review: ``act`` is tried here and at the gateway, and rolled back. Raises what it does,
    with refusals of delegation as answers of pages."""
    with answers(here):
        order = act()
    tried = dry_runs.of_request(current.work(), order)
    obstacles = change_lines.refusals_of(tried)
    body = render_template(
        "machine_review.html",
        organization=here.here,
        review=shown,
        obstacles=obstacles,
        effects=[*shown.effects, *change_lines.effects_of(tried)],
        list_url=list_url(here),
    )
    return Response(body, status=409 if obstacles else 200)


def ordered(order: Request) -> BaseResponse:
    """To the page of the request."""
    flash(gettext("The request %(number)s was sent to the gateway.", number=order.number))
    return redirect(url_for("pages.request", number=order.number), code=303)


def again(target: str, text: str) -> BaseResponse:
    """Nothing was done: back, with the reason."""
    current.work().db.rollback()
    flash(text, "warning")
    return redirect(target, code=303)


def list_url(here: Standing) -> str:
    """The address of the list of machines."""
    return url_for("pages.machines", organization_id=here.here.organization_id)


def _sentence(one: LineFault) -> str:
    return FAULTS.of(one.fault, line=one.line, text=one.text, most=MAX_NETWORKS)
