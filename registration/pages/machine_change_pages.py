"""A machine account is changed: its networks, its custodian, its end (MA-02, MA-05, MA-10)."""

from __future__ import annotations

from functools import partial

from flask import Response, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from registration import current, machine_registry, network_entries, own_lists
from registration.delegation_rules import Action
from registration.kept_machines import KeptMachine
from registration.machine_registry_refusals import AlreadyCustodian, NetworksUnchanged
from registration.models import Person
from registration.network_entries import NetworksInvalid
from registration.pages.account_roles_pages import found_page
from registration.pages.appointment_answers import (
    MAX_WHY,
    answers,
    prove_first,
    sentence_of,
    words,
)
from registration.pages.machine_answers import (
    Review,
    again,
    at_machine,
    list_url,
    machine_url,
    network_error,
    network_text,
    ordered,
    read_networks,
    reviewed,
    revision,
    typed_networks,
)
from registration.pages.standing import NotHere, Standing
from registration.work_refusals import ChangedMeanwhile


def networks(organization_id: str, machine_id: int) -> BaseResponse:
    """The networks, to be changed."""
    here, machine = at_machine(organization_id, machine_id, Action.CHANGE_NETWORKS)
    if not current.has_fresh_factor():
        return _prove_first(here, machine, "pages.networks")
    return _networks_form(here, machine, network_entries.written(machine.entries), "")


def review_networks(organization_id: str, machine_id: int) -> BaseResponse:
    """What would change. Nothing is stored."""
    here, machine = at_machine(organization_id, machine_id, Action.CHANGE_NETWORKS)
    if not current.has_fresh_factor():
        return _prove_first(here, machine, "pages.networks")
    try:
        wanted = read_networks()
    except NetworksInvalid as refused:
        return _networks_form(here, machine, typed_networks(), network_error(refused))
    form_url = machine_url("pages.networks", here, machine_id)
    seen = revision()
    shown = Review(
        gettext("Change the networks"),
        (
            *_rows(machine),
            (gettext("Networks until now"), network_text(machine.entries)),
            (gettext("Networks from now on"), network_text(wanted)),
        ),
        machine_url("pages.confirm_networks", here, machine_id),
        form_url,
        [gettext("The program can be used from these networks only.")],
        (("revision", str(seen)), ("networks", typed_networks())),
    )
    act = partial(
        machine_registry.change_networks,
        current.work(), here.actor, here.here, machine_id, seen, wanted,
    )  # fmt: skip
    try:
        return reviewed(here, act, shown)
    except (ChangedMeanwhile, NetworksUnchanged) as refused:
        return again(form_url, sentence_of(refused))


def store_networks(organization_id: str, machine_id: int) -> BaseResponse:
    """Store what was reviewed."""
    here, machine = at_machine(organization_id, machine_id, Action.CHANGE_NETWORKS)
    if not current.has_fresh_factor():
        return _prove_first(here, machine, "pages.networks")
    try:
        with answers(here):
            order = machine_registry.change_networks(
                current.work(), here.actor, here.here, machine_id, revision(), read_networks()
            )
    except NetworksInvalid as refused:
        return _networks_form(here, machine, typed_networks(), network_error(refused))
    except (ChangedMeanwhile, NetworksUnchanged) as refused:
        return again(machine_url("pages.networks", here, machine_id), sentence_of(refused))
    return ordered(order)


def find_successor(organization_id: str, machine_id: int) -> str:
    """The search for the next custodian."""
    here, _ = at_machine(organization_id, machine_id, Action.HAND_OVER_MACHINE)
    title = gettext("Choose the next custodian")
    return found_page(here, title, "pages.find_successor", "pages.hand_over", machine_id=machine_id)


def hand_over(organization_id: str, machine_id: int, person_id: str) -> BaseResponse:
    """What the handover entails. Nothing is stored."""
    here, machine = at_machine(organization_id, machine_id, Action.HAND_OVER_MACHINE)
    successor = _person(person_id)
    if not current.has_fresh_factor():
        return _prove_first(here, machine, "pages.hand_over", person_id=person_id)
    find_url = machine_url("pages.find_successor", here, machine_id)
    shown = Review(
        gettext("Hand over the machine account"),
        (
            *_rows(machine),
            (gettext("Next custodian"), f"{successor.full_name}, {successor.person_id}"),
        ),
        machine_url("pages.confirm_hand_over", here, machine_id, person_id=person_id),
        find_url,
        [
            gettext(
                "The password and the keys of the former custodian end at once. Programs stop "
                "until they have the new ones."
            ),
            gettext("The next custodian gets a link by e-mail."),
        ],
        (("revision", str(machine.revision)),),
        gettext("Hand over"),
    )
    act = partial(
        machine_registry.hand_over,
        current.work(), here.actor, here.here, machine_id, machine.revision, successor,
    )  # fmt: skip
    try:
        return reviewed(here, act, shown)
    except AlreadyCustodian as refused:
        return again(find_url, sentence_of(refused))


def confirm_hand_over(organization_id: str, machine_id: int, person_id: str) -> BaseResponse:
    """Hand over, as it was seen."""
    here, machine = at_machine(organization_id, machine_id, Action.HAND_OVER_MACHINE)
    successor = _person(person_id)
    if not current.has_fresh_factor():
        return _prove_first(here, machine, "pages.hand_over", person_id=person_id)
    try:
        with answers(here):
            order = machine_registry.hand_over(
                current.work(), here.actor, here.here, machine_id, revision(), successor
            )
    except (ChangedMeanwhile, AlreadyCustodian) as refused:
        return again(machine_url("pages.machine", here, machine_id), sentence_of(refused))
    return ordered(order)


def stop(organization_id: str, machine_id: int) -> BaseResponse:
    """What the end of the account entails (MA-05). Nothing is stored."""
    here, machine = at_machine(organization_id, machine_id, Action.STOP_MACHINE)
    if not current.has_fresh_factor():
        return _prove_first(here, machine, "pages.stop_machine")
    shown = Review(
        gettext("Stop the machine account"),
        _rows(machine),
        machine_url("pages.confirm_stop", here, machine_id),
        machine_url("pages.machine", here, machine_id),
        [
            gettext("Programs in production that use this account may stop."),
            gettext("Its access roles and networks end. The account cannot be opened again."),
        ],
        (("revision", str(machine.revision)),),
        gettext("Stop the machine account"),
        is_dangerous=True,
    )
    act = partial(
        machine_registry.stop,
        current.work(), here.actor, here.here, machine_id, machine.revision,
    )  # fmt: skip
    return reviewed(here, act, shown)


def confirm_stop(organization_id: str, machine_id: int) -> BaseResponse:
    """Stop it, as it was seen."""
    here, machine = at_machine(organization_id, machine_id, Action.STOP_MACHINE)
    if not current.has_fresh_factor():
        return _prove_first(here, machine, "pages.stop_machine")
    try:
        with answers(here):
            order = machine_registry.stop(
                current.work(), here.actor, here.here, machine_id, revision(),
                words("why", MAX_WHY),
            )  # fmt: skip
    except ChangedMeanwhile as refused:
        return again(machine_url("pages.stop_machine", here, machine_id), sentence_of(refused))
    return ordered(order)


def _person(person_id: str) -> Person:
    found = own_lists.persons(current.work(), [person_id])
    if not found:
        raise NotHere
    return found[0]


def _rows(machine: KeptMachine) -> tuple[tuple[str, str], ...]:
    custodian = machine.custodian
    return (
        (gettext("User name"), machine.row.account.username or ""),
        (gettext("Description"), machine.row.description),
        (gettext("Custodian"), f"{custodian.full_name}, {custodian.person_id}"),
    )


def _networks_form(here: Standing, machine: KeptMachine, text: str, error: str) -> BaseResponse:
    sent = request.form.get("revision", "")
    body = render_template(
        "machine_networks.html",
        organization=here.here,
        machine=machine,
        text=text,
        error=error,
        revision=sent or machine.revision,
        review_url=machine_url("pages.review_networks", here, machine.row.id),
        back=machine_url("pages.machine", here, machine.row.id),
        list_url=list_url(here),
    )
    return Response(body, status=400 if error else 200)


def _prove_first(here: Standing, machine: KeptMachine, endpoint: str, **more: str) -> BaseResponse:
    return prove_first(here, machine_url(endpoint, here, machine.row.id, **more))
