"""Create and correct accounts in the console (PR-02): a new account, the data of a person, another
custodian, one session, one key."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import LANGUAGES
from idp import current
from idp.directory import account_creation, participants, persons, separation_of_duties
from idp.directory.account_creation import AccountRequest
from idp.directory.accounts import NewPerson
from idp.directory.directory_refusals import PersonNotFound
from idp.directory.persons import PersonChanges
from idp.directory.second_accounts import SecondAccountGrounds
from idp.errors import Conflict, Invalid, NotFound, Refused
from idp.helpdesk import account_actions
from idp.machines import machine_accounts, machine_keys, registered_networks
from idp.models import Account, AccountKind, BrowserSession, Person
from idp.policy.registered_values import SecondAccountReason
from idp.session import sessions
from idp.web import refusal_texts
from idp.web.console import account_page, labels

#: The fields of a person, as persons.PersonChanges has them.
FIELDS = ("given_name", "middle_name", "family_name", "preferred_name", "email", "phone")


def register(pages: Blueprint) -> None:
    both, post = ["GET", "POST"], ["POST"]
    account = "/accounts/<subject>"
    pages.add_url_rule("/accounts/new", "new_account", new_account, methods=both)
    pages.add_url_rule(f"{account}/person", "correct_person", correct_person, methods=both)
    pages.add_url_rule(f"{account}/custodian", "change_custodian", change_custodian, methods=post)
    pages.add_url_rule(
        f"{account}/sessions/<public_id>/end", "end_session", end_session, methods=post
    )
    pages.add_url_rule(
        f"{account}/keys/<kid>/remove", "remove_machine_key", remove_machine_key, methods=post
    )


def new_account() -> BaseResponse:
    """Create an account; its holder gets the activation mail."""
    if request.method != "POST":
        return _creation()
    try:
        made = account_creation.create(current.work(), _asked())
        if made.kind == AccountKind.MACHINE:
            registered_networks.replace(current.work(), made, _networks())
    except (Invalid, Conflict, NotFound, Refused) as error:
        current.work().rollback()
        return _creation(refusal_texts.of(error))
    flash(
        gettext(
            "The account %(name)s was created. The activation e-mail is queued.",
            name=made.username,
        )
    )
    return account_page.back(made)


def _typed(name: str) -> str:
    return request.form.get(name, "").strip()


def _asked() -> AccountRequest:
    """The form as a value. Raises Invalid or NotFound."""
    kind, second = _typed("kind"), None
    if kind not in list(AccountKind) or _typed("locale") not in LANGUAGES:
        abort(400)
    if number := _typed("second_participant"):
        only = participants.by_number(current.work(), number)
        second = SecondAccountGrounds.of(SecondAccountReason.TRANSMISSION_RIGHTS, only)
    return AccountRequest(
        person=NewPerson(person_id=_typed("person_id"), **{name: _typed(name) for name in FIELDS}),
        kind=AccountKind(kind),
        username=_typed("username"),
        locale=_typed("locale"),
        second=second,
    )


def _networks() -> list[tuple[str, str]]:
    """One network a line, with a label after a space."""
    lines = [line.strip() for line in request.form.get("networks", "").splitlines()]
    pairs = (line.partition(" ") for line in lines if line)
    return [(network, label) for network, _, label in pairs]


def _creation(error: str = "") -> BaseResponse:
    names = ("person_id", *FIELDS, "username", "kind", "locale", "second_participant", "networks")
    body = render_template(
        "console/new_account.html",
        typed={name: request.form.get(name, "") for name in names},
        kinds=[(str(kind), labels.kind(kind)) for kind in AccountKind],
        error=error,
    )
    return Response(body, status=400 if error else 200)


def correct_person(subject: str) -> BaseResponse:
    """The data of the person behind an account; the change is for all accounts of the person."""
    found = account_page.one(subject)
    separation_of_duties.check(current.work(), found)
    if request.method != "POST":
        return correction(found)
    try:
        persons.update(current.work(), found.person, PersonChanges(**typed_person(found.person)))
    except (Invalid, Conflict, Refused) as error:
        return correction(found, refusal_texts.of(error))
    flash(gettext("The data of the person were corrected. The account holder receives an e-mail."))
    return account_page.back(found)


def typed_person(person: Person) -> dict[str, str]:
    """The data of a person from the form. A field that the form does not have keeps its value."""
    given = {name: _typed(name) for name in FIELDS if name in request.form}
    return registered_person(person) | given


def registered_person(person: Person) -> dict[str, str]:
    """The same data as registered."""
    extension = f" ext {person.phone_extension}" if person.phone_extension else ""
    values = {name: getattr(person, name) for name in FIELDS}
    return values | {"phone": person.phone + extension}


def correction(found: Account, error: str = "") -> BaseResponse:
    """The form with its input, or with the registered values."""
    typed = typed_person(found.person)
    body = render_template("console/person.html", account=found, typed=typed, error=error)
    return Response(body, status=400 if error else 200)


def custodian_of_form() -> Person:
    """The person that the form names. Raises NotFound."""
    person_id = _typed("person_id")
    person = persons.by_person_id(current.work(), person_id[:40])
    if person is None:
        raise PersonNotFound(person_id)
    return person


def change_custodian(subject: str) -> BaseResponse:
    """Make another person the custodian of a machine account (MA-10)."""
    found = account_page.one(subject)
    try:
        machine_accounts.change_custodian(current.work(), found, custodian_of_form())
    except (Invalid, NotFound, Refused) as error:
        text = refusal_texts.of(error)
        return account_page.page(found, error=text, tab=account_page.MACHINE_TAB)
    flash(gettext("The custodian was changed. Both persons receive an e-mail."))
    return account_page.back(found, account_page.MACHINE_TAB)


def session_of(found: Account, public_id: str) -> BrowserSession:
    """An active session of the account, or 404."""
    rows = sessions.active(current.work(), found)
    row = next((one for one in rows if one.public_id == public_id), None)
    return row if row is not None else abort(404)


def end_session(subject: str, public_id: str) -> BaseResponse:
    """End one session and its grants."""
    found = account_page.one(subject)
    account_actions.end_session(current.work(), session_of(found, public_id))
    flash(gettext("The session was ended."))
    return account_page.back(found, "sessions")


def remove_machine_key(subject: str, kid: str) -> BaseResponse:
    """Remove one key of a machine account; its tokens end."""
    found = account_page.one(subject)
    machine_keys.revoke(current.work(), found, kid)
    flash(gettext("The key was removed."))
    return account_page.back(found, account_page.MACHINE_TAB)
