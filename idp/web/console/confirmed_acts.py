"""Every console action that an operator confirms, and what the confirmation page says about each.

An endpoint that is not in ``ACTS`` acts immediately; tests/console/test_confirmation lists those
that change something. An unknown client, key, proposal or participant is a 404, an unknown signing
algorithm a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.clients import client_proposals, client_secrets, registry
from idp.directory import (
    contacts,
    mass_change_breaker,
    participants,
)
from idp.errors import Invalid, NotFound
from idp.grants import signing_keys
from idp.helpdesk import consequences
from idp.helpdesk.consequences import ClientReach
from idp.models import Client, KeyState
from idp.policy.registered_values import SIGNING_ALGS
from idp.web import error_responses, refusal_texts
from idp.web.console import account_acts, client_pages, labels
from idp.web.console.confirmation import Act, Effect


def _token_consequences(reach: ClientReach) -> list[str]:
    """Sentences about the tokens that end. Zero counts are omitted."""
    people = ngettext(
        "Ends the tokens of %(num)s person.", "Ends the tokens of %(num)s people.", reach.people
    )
    programs = ngettext(
        "Ends the tokens of %(num)s program.",
        "Ends the tokens of %(num)s programs.",
        reach.programs,
    )
    return [*([people] if reach.people else []), *([programs] if reach.programs else [])]


def _client(client_id: str) -> Client:
    found = registry.find(current.work(), client_id)
    if found is None:
        abort(404)
    return found


def _of_client(client: Client, **effect: Any) -> Effect:
    return Effect(
        about=f"{client.name} ({client.client_id})",
        back=url_for("console.client", client_id=client.client_id),
        version=f"{client.disabled_at}/{client.updated_at}/{client.former_secret_until}",
        client=client,
        **effect,
    )


def _disable_client(client_id: str) -> Effect | BaseResponse:
    client = _client(client_id)
    return _of_client(
        client,
        title=gettext("Disable an application"),
        consequences=[
            gettext("Nobody can open the application, and it receives no more tokens."),
            *_token_consequences(consequences.of_client(current.work(), client)),
        ],
        undo=gettext("Select “Enable” on the application page. Its tokens are not restored."),
        button=gettext("Disable"),
    )


def _rotate_secret(client_id: str) -> Effect | BaseResponse:
    client, typed = _client(client_id), request.form.get("overlap_hours", "").strip()
    try:
        hours = client_secrets.parse_overlap_hours(typed)
        client_secrets.check_rotation(client, hours)
    except Invalid as error:
        return client_pages.secret_refused(client, refusal_texts.of(error), typed)
    ends = (
        ngettext(
            "The current secret works for %(num)s more hour.",
            "The current secret works for %(num)s more hours.",
            hours,
        )
        if hours
        else gettext("The current secret stops working immediately.")
    )
    return _of_client(
        client,
        title=gettext("Create a new secret"),
        consequences=[
            gettext("Shows a new secret once. The application must use it from then on."),
            ends,
            gettext("Any previous secret stops working."),
        ],
        undo="",
        button=gettext("Create a new secret"),
        fields={"overlap_hours": typed},
        is_dangerous=not hours,
    )


def _end_old_secret(client_id: str) -> Effect | BaseResponse:
    return _of_client(
        _client(client_id),
        title=gettext("End the previous secret"),
        consequences=[
            gettext(
                "Only the current secret works. Programs that use the previous one stop working."
            ),
        ],
        undo="",
        button=gettext("End the previous secret now"),
    )


def _withdraw_proposal(public_id: str) -> Effect | BaseResponse:
    try:
        row = client_proposals.get(current.work(), public_id)
    except NotFound:
        abort(404)
    return Effect(
        title=gettext("Withdraw a proposal"),
        about=gettext(
            "%(client)s, proposed by %(who)s", client=row.client_id, who=row.proposer.username
        ),
        consequences=[gettext("The proposed change is not made.")],
        undo=gettext("Propose the change again."),
        button=gettext("Withdraw"),
        back=url_for("console.proposals"),
        version=str(row.decided_at),
    )


def _rotate_key() -> Effect | BaseResponse:
    alg = request.form.get("alg", "")
    if alg not in SIGNING_ALGS:
        abort(400)
    keys = signing_keys.every_key(current.work())
    active = next(row for row in keys if (row.alg, row.state) == (alg, KeyState.ACTIVE))
    clients, _reach = consequences.of_signing_key(current.work(), active)
    signed = ngettext(
        "The next key signs the tokens of %(num)s application.",
        "The next key signs the tokens of %(num)s applications.",
        clients,
    )
    return Effect(
        title=gettext("Start using the next key"),
        about=f"{alg} ({active.kid})",
        consequences=[
            *([signed] if clients else []),
            gettext("The current key is published until its last token has expired."),
        ],
        undo="",
        button=gettext("Start using the next key"),
        back=url_for("console.keys"),
        version=active.kid,
        fields={"alg": alg},
        is_dangerous=False,
    )


def _revoke_key(kid: str) -> Effect | BaseResponse:
    keys = signing_keys.every_key(current.work())
    key = next((row for row in keys if row.kid == kid), None)
    if key is None:
        abort(404)
    clients, reach = consequences.of_signing_key(current.work(), key)
    used = ngettext(
        "%(num)s application uses this algorithm.",
        "%(num)s applications use this algorithm.",
        clients,
    )
    return Effect(
        title=gettext("Revoke a signing key"),
        about=f"{key.alg} ({key.kid})",
        consequences=[
            gettext("Everything signed with this key becomes invalid immediately."),
            *([used] if clients else []),
            *_token_consequences(reach),
        ],
        undo="",
        button=gettext("Revoke key"),
        back=url_for("console.keys"),
        version=str(key.state),
        to_type=key.kid,
        type_label=gettext("To confirm, enter the key ID"),
    )


def _dismiss_contact() -> Effect | BaseResponse:
    work = current.work()
    fields = {name: request.form.get(name, "") for name in ("number", "person_id", "function")}
    try:
        row = participants.by_number(work, fields["number"].strip()[:20])
    except NotFound:
        abort(404)
    entries = [(one.person, one.function) for one in contacts.list_contacts(work, row)]
    person = next((one for one, _ in entries if one.person_id == fields["person_id"]), None)
    left = [who for who, what in entries if what == fields["function"] and who is not person]
    vacant = gettext("Nobody else has this function. We ask the participant to appoint someone.")
    return Effect(
        title=gettext("Remove a function"),
        about=f"{person.full_name if person else fields['person_id']}, "
        f"{labels.function(fields['function'])}, {row.name} ({row.number})",
        consequences=[
            gettext("The person no longer speaks for the participant in this function."),
            gettext("Sends an e-mail to the people concerned."),
            *([] if left else [vacant]),
        ],
        undo=gettext("Appoint the person again."),
        button=gettext("Remove this function"),
        back=url_for("console.participant", number=row.number),
        version=str(sorted(one.person_id for one in left)),
        fields={**fields, "change": "dismiss"},
    )


def _confirm_mass_change() -> Effect | BaseResponse:
    breaker = mass_change_breaker.status(current.work())
    if not breaker.is_tripped:
        return error_responses.page(
            409,
            title=gettext("The circuit breaker has not stopped registration"),
            message=gettext("Nothing was changed."),
            advice=gettext("Open the page of the alarms to see its status."),
        )
    return Effect(
        title=gettext("Let registration continue"),
        about=gettext("Mass-change circuit breaker"),
        consequences=[
            ngettext(
                "Accepts the suspension or deactivation of %(num)s account in the last hour. It is "
                "not undone.",
                "Accepts the suspension or deactivation of %(num)s accounts in the last hour. They "
                "are not undone.",
                breaker.changed,
            ),
            ngettext(
                "Registration can suspend or deactivate %(num)s more account within an hour.",
                "Registration can suspend or deactivate %(num)s more accounts within an hour.",
                breaker.limit,
            ),
        ],
        undo="",
        button=gettext("Let registration continue"),
        back=url_for("console.alarms"),
        version=f"{breaker.changed}/{breaker.limit}",
    )


def _is_dismissal() -> bool:
    return request.form.get("change") == "dismiss"


#: The confirmed actions by endpoint.
ACTS: Mapping[str, Act] = {
    **account_acts.ACTS,
    "console.disable_client": Act(_disable_client),
    "console.rotate_secret": Act(_rotate_secret),
    "console.end_old_secret": Act(_end_old_secret),
    "console.withdraw_proposal": Act(_withdraw_proposal),
    "console.rotate_key": Act(_rotate_key),
    "console.revoke_key": Act(_revoke_key),
    "console.confirm_mass_change": Act(_confirm_mass_change),
    "console.set_contact": Act(_dismiss_contact, applies=_is_dismissal),
}
