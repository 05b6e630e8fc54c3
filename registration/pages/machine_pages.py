"""A machine account is registered: the custodian, then networks, review and confirmation; and the
page of one (MA-01 to MA-03)."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from registration import current, machine_registry, own_lists
from registration.delegation_rules import Action
from registration.machine_registry import MAX_DESCRIPTION
from registration.machine_registry_refusals import DescriptionInvalid, DescriptionTaken
from registration.models import Person
from registration.network_entries import Network, NetworksInvalid
from registration.pages import standing
from registration.pages.account_roles_pages import found_page
from registration.pages.appointment_answers import answers, prove_first, sentence_of
from registration.pages.machine_answers import (
    Review,
    at_machine,
    list_url,
    machine_url,
    network_error,
    network_text,
    ordered,
    read_networks,
    reviewed,
    typed_networks,
)
from registration.pages.standing import NotHere, Standing


def find(organization_id: str) -> str:
    """The search for the custodian."""
    here = standing.at(organization_id)
    here.require(Action.REGISTER_MACHINE, here.actor.person)
    return found_page(
        here, gettext("Choose the custodian"), "pages.find_custodian", "pages.new_machine"
    )


def show(organization_id: str, machine_id: int) -> str:
    """The machine account, its custodian and networks."""
    here, machine = at_machine(organization_id, machine_id, Action.SEE_MACHINE)
    choices = (
        (Action.CHANGE_NETWORKS, gettext("Change the networks"), "pages.networks"),
        (Action.HAND_OVER_MACHINE, gettext("Hand over"), "pages.find_successor"),
    )
    return render_template(
        "machine.html",
        organization=here.here,
        machine=machine,
        choices=[
            (text, machine_url(endpoint, here, machine_id))
            for action, text, endpoint in choices
            if here.may(action)
        ],
        stop_url=machine_url("pages.stop_machine", here, machine_id)
        if here.may(Action.STOP_MACHINE)
        else "",
        check_url=machine_url("pages.check_machine", here, machine_id),
        list_url=list_url(here),
    )


def form(organization_id: str, person_id: str) -> BaseResponse:
    """What the program does, and from where it is used."""
    here, custodian = _registrar(organization_id, person_id)
    if not current.has_fresh_factor():
        return _prove_first(here, custodian)
    return _form(here, custodian, {})


def review(organization_id: str, person_id: str) -> BaseResponse:
    """What would come of it. Nothing is stored."""
    here, custodian = _registrar(organization_id, person_id)
    if not current.has_fresh_factor():
        return _prove_first(here, custodian)
    try:
        networks, words = _entered()
    except (NetworksInvalid, DescriptionInvalid) as refused:
        return _wrong(here, custodian, refused)
    number = here.here.organization_id
    place: dict[str, Any] = {"organization_id": number, "person_id": custodian.person_id}
    shown = Review(
        gettext("Register a machine account"),
        (
            (gettext("Description"), words),
            (gettext("Networks"), network_text(networks)),
            (gettext("Custodian"), custodian.full_name),
            (gettext("Person ID"), custodian.person_id),
        ),
        url_for("pages.register_machine", **place),
        url_for("pages.new_machine", **place),
        [
            gettext("The gateway makes the account and chooses its user name."),
            gettext("The custodian gets a link by e-mail that activates it."),
            gettext("It has no access role at first. Grant roles when it has its user name."),
        ],
        (("description", words), ("networks", typed_networks())),
    )
    act = partial(
        machine_registry.register,
        current.work(), here.actor, here.here, custodian, networks, words,
    )  # fmt: skip
    try:
        return reviewed(here, act, shown)
    except DescriptionTaken as refused:
        return _wrong(here, custodian, refused)


def register(organization_id: str, person_id: str) -> BaseResponse:
    """Register what was reviewed."""
    here, custodian = _registrar(organization_id, person_id)
    if not current.has_fresh_factor():
        return _prove_first(here, custodian)
    try:
        networks, words = _entered()
    except (NetworksInvalid, DescriptionInvalid) as refused:
        return _wrong(here, custodian, refused)
    try:
        with answers(here):
            order = machine_registry.register(
                current.work(), here.actor, here.here, custodian, networks, words
            )
    except DescriptionTaken as refused:
        return _wrong(here, custodian, refused)
    return ordered(order)


def _registrar(organization_id: str, person_id: str) -> tuple[Standing, Person]:
    here = standing.at(organization_id)
    here.require(Action.REGISTER_MACHINE, person_id)
    found = own_lists.persons(current.work(), [person_id])
    if not found:
        raise NotHere
    return here, found[0]


def _entered() -> tuple[tuple[Network, ...], str]:
    """Networks and description. Raises NetworksInvalid or DescriptionInvalid."""
    return read_networks(), machine_registry.described(request.form.get("description", ""))


def _wrong(
    here: Standing,
    custodian: Person,
    refused: NetworksInvalid | DescriptionInvalid | DescriptionTaken,
) -> BaseResponse:
    current.work().db.rollback()
    if isinstance(refused, NetworksInvalid):
        return _form(here, custodian, {"networks": network_error(refused)})
    return _form(here, custodian, {"description": sentence_of(refused)})


def _form(here: Standing, custodian: Person, errors: dict[str, str]) -> BaseResponse:
    number = here.here.organization_id
    body = render_template(
        "new_machine.html",
        organization=here.here,
        custodian=custodian,
        values={"description": request.form.get("description", ""), "networks": typed_networks()},
        most=MAX_DESCRIPTION,
        errors=errors,
        review_url=url_for(
            "pages.review_machine", organization_id=number, person_id=custodian.person_id
        ),
        find_url=url_for("pages.find_custodian", organization_id=number),
        list_url=list_url(here),
    )
    return Response(body, status=400 if errors else 200)


def _prove_first(here: Standing, custodian: Person) -> BaseResponse:
    number = here.here.organization_id
    target = url_for("pages.new_machine", organization_id=number, person_id=custodian.person_id)
    return prove_first(here, target)
