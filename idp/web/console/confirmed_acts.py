"""The acts that an operator confirms, and what the page says about each.

An endpoint that changes something and is missing here acts at once; tests/console/test_confirmation
names those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import abort, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.clients import client_proposals, client_secrets, registry
from idp.directory import (
    contacts,
    held_role_groups,
    mass_change_breaker,
    participants,
    role_groups,
)
from idp.errors import ActionNotPossible, CallerNotVerified, Invalid, NotFound
from idp.grants import signing_keys
from idp.helpdesk import account_actions, caller_verification, consequences
from idp.helpdesk.consequences import AccountReach, ClientReach
from idp.models import Account, AccountKind, Client, KeyState
from idp.policy.console import HARMLESS, ConsoleAction
from idp.web import error_responses, refusal_texts
from idp.web.console import account_page, client_pages, gate, labels, role_group_pages
from idp.web.console.confirmation import Act, Effect


def _act_on_account(subject: str, action: str) -> Effect | BaseResponse:
    """One of the actions of ``policy.console``."""
    work, account = current.work(), account_page.one(subject)
    operator = gate.operator()
    order = account_actions.ActionRequest(operator.account, operator.roles, action, "", "")
    try:
        account_actions.check(work, order, account)
    except (ActionNotPossible, CallerNotVerified) as refusal:
        return account_page.page(account, error=labels.refusal(refusal))
    reach = consequences.of_account(work, account)
    call = caller_verification.find_active(work, operator.account, account)
    sentences, way_back = _OF_ACTION[ConsoleAction(action)](account, reach)
    return Effect(
        title=labels.action(action),
        about=_named(account),
        consequences=sentences,
        way_back=way_back,
        button=labels.action(action),
        back=_account_page(account),
        version=_version(account),
        is_dangerous=action not in HARMLESS,
        account=account,
        ticket=call.ticket if call else "",
        is_recorded=True,
    )


def _named(account: Account) -> str:
    return f"{account.person.full_name} ({account.username})"


def _account_page(account: Account) -> str:
    return url_for("console.account", subject=account.subject)


def _version(account: Account) -> str:
    """What the pages of the actions describe."""
    changed = account.password_changed_at
    since = (account.state_changed_at.isoformat(), changed.isoformat() if changed else "")
    return "/".join((account.state, *since, str(account.person_id), account.person.email))


def _ended(account: Account, reach: AccountReach) -> list[str]:
    """Everything that ends with the sessions of an account."""
    found = [
        ngettext(
            "Ends %(num)s session: the account holder is signed out.",
            "Ends %(num)s sessions: the account holder is signed out everywhere.",
            reach.sessions,
        ),
        ngettext(
            "Ends the tokens of %(num)s application.",
            "Ends the tokens of %(num)s applications.",
            reach.applications,
        ),
        ngettext(
            "Forgets %(num)s remembered browser.",
            "Forgets %(num)s remembered browsers.",
            reach.browsers,
        ),
    ]
    if account.kind == AccountKind.MACHINE:
        found.append(
            ngettext(
                "Programs that use this account can stop working. It has %(num)s key.",
                "Programs that use this account can stop working. It has %(num)s keys.",
                reach.keys,
            )
        )
    return found


def _mailed_link(account: Account) -> str:
    text = gettext(
        "Sends an e-mail to %(email)s with a link to choose a new password. The link works for "
        "%(days)s days.",
        email=account.person.email,
        days=current.work().settings.agent_reset_days,
    )
    return str(text)


def _password_ends() -> str:
    return str(gettext("The current password stops working immediately."))


def _new_password() -> str:
    text = gettext(
        "The account holder chooses a new password and signs in again. The previous password does "
        "not return."
    )
    return str(text)


Said = tuple[list[str], str]


def _reset_mail(account: Account, reach: AccountReach) -> Said:
    return [_password_ends(), *_ended(account, reach), _mailed_link(account)], _new_password()


def _temporary_password(account: Account, reach: AccountReach) -> Said:
    shown = gettext(
        "Shows a temporary password once, to read aloud. It works for one sign-in within "
        "%(hours)s hours.",
        hours=current.work().settings.temporary_password_seconds // 3600,
    )
    return [_password_ends(), *_ended(account, reach), shown], _new_password()


def _unlock(_account: Account, _reach: AccountReach) -> Said:
    return [
        gettext("The account holder can sign in again with the present password."),
        gettext("Sends an e-mail to the account holder."),
    ], gettext("Lock the account again.")


def _resend_activation(account: Account, _reach: AccountReach) -> Said:
    return [
        gettext("Sends a new activation e-mail to %(email)s.", email=account.person.email),
        gettext("The previous link stops working. The last day stays the same."),
    ], gettext("Send the e-mail again. Only the latest link works.")


def _reset_factors(account: Account, reach: AccountReach) -> Said:
    removed = ngettext(
        "Removes %(num)s verification method, the recovery codes and the security question.",
        "Removes %(num)s verification methods, the recovery codes and the security question.",
        reach.factors,
    )
    back = gettext(
        "The account holder sets up verification methods again. The removed ones do not return."
    )
    return [removed, _password_ends(), *_ended(account, reach), _mailed_link(account)], back


def _end_sessions(account: Account, reach: AccountReach) -> Said:
    return _ended(account, reach), gettext("The account holder signs in again.")


def _lock(account: Account, reach: AccountReach) -> Said:
    return [
        gettext("Nobody can sign in with this account. Links and temporary passwords end."),
        *_ended(account, reach),
    ], gettext("“Unlock” on the page of the account. Sessions and links do not return.")


def _suspend(account: Account, reach: AccountReach) -> Said:
    return [
        gettext("Nobody can sign in with this account. Links and temporary passwords end."),
        *_ended(account, reach),
        gettext("Keeps the role groups. Sends an e-mail to the account holder."),
    ], gettext("“Reactivate” on the page of the account. Sessions and links do not return.")


def _restore(_account: Account, _reach: AccountReach) -> Said:
    return [
        gettext("The account has the status again that it had before the suspension."),
        gettext("Sends an e-mail to the account holder."),
    ], gettext("Suspend the account again.")


def _deactivate(account: Account, reach: AccountReach) -> Said:
    return [
        gettext("Closes the account permanently. Its user name is never used again."),
        *_ended(account, reach),
        ngettext("Revokes %(num)s role group.", "Revokes %(num)s role groups.", reach.role_groups),
    ], ""


_OF_ACTION: Mapping[ConsoleAction, Callable[[Account, AccountReach], Said]] = {
    ConsoleAction.RESET_MAIL: _reset_mail,
    ConsoleAction.TEMPORARY_PASSWORD: _temporary_password,
    ConsoleAction.UNLOCK: _unlock,
    ConsoleAction.RESEND_ACTIVATION: _resend_activation,
    ConsoleAction.RESET_FACTORS: _reset_factors,
    ConsoleAction.END_SESSIONS: _end_sessions,
    ConsoleAction.LOCK: _lock,
    ConsoleAction.SUSPEND: _suspend,
    ConsoleAction.RESTORE: _restore,
    ConsoleAction.DEACTIVATE: _deactivate,
}
if absent := set(ConsoleAction).difference(_OF_ACTION):
    raise RuntimeError(f"no description of {', '.join(absent)}")


def _revoke(subject: str) -> Effect | BaseResponse:
    """A role group of an account."""
    work, account = current.work(), account_page.one(subject)
    fields = {name: request.form.get(name, "").strip() for name in ("group", "participant")}
    role_group_pages.check(account, fields["group"])
    try:
        group = role_groups.by_name(work, fields["group"])
        participant = participants.by_number(work, fields["participant"])
    except (Invalid, NotFound) as error:
        return account_page.page(account, error=refusal_texts.of(error))
    held = [
        row.id
        for row in held_role_groups.list_held(work, account)
        if (row.role_group_id, row.participant_id) == (group.id, participant.id)
    ]
    seeing = ", ".join(consequences.applications_seeing(work, group)) or gettext("none")
    return Effect(
        title=gettext("Revoke a role group"),
        about=f"{_named(account)}, {group.name}, {participant.name} ({participant.number})",
        consequences=[
            gettext("Applications that see this role group: %(names)s.", names=seeing),
            gettext("Ends the sessions and tokens of the account at these applications."),
            gettext("Sends an e-mail to the account holder and to the rights administrators."),
        ],
        way_back=gettext("Grant the role group again."),
        button=gettext("Revoke"),
        back=_account_page(account),
        version=f"{account.state}/{held}",
        fields=fields,
        account=account,
    )


def _used_by(reach: ClientReach) -> list[str]:
    return [
        ngettext(
            "Ends the tokens of %(num)s person.", "Ends the tokens of %(num)s people.", reach.people
        ),
        ngettext(
            "Ends the tokens of %(num)s program.",
            "Ends the tokens of %(num)s programs.",
            reach.programs,
        ),
    ]


def _client(client_id: str) -> Client:
    found = registry.find(current.work(), client_id)
    if found is None:
        abort(404)
    return found


def _of_client(client: Client, **said: Any) -> Effect:
    return Effect(
        about=f"{client.name} ({client.client_id})",
        back=url_for("console.client", client_id=client.client_id),
        version=f"{client.disabled_at}/{client.updated_at}/{client.former_secret_until}",
        client=client,
        **said,
    )


def _disable_client(client_id: str) -> Effect | BaseResponse:
    client = _client(client_id)
    return _of_client(
        client,
        title=gettext("Disable an application"),
        consequences=[
            gettext("Nobody can open the application, and it gets no more tokens."),
            *_used_by(consequences.of_client(current.work(), client)),
        ],
        way_back=gettext("“Enable” on the page of the application. Its tokens do not return."),
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
            "The present secret works for %(num)s more hour.",
            "The present secret works for %(num)s more hours.",
            hours,
        )
        if hours
        else gettext("The present secret stops working immediately.")
    )
    return _of_client(
        client,
        title=gettext("Create a new secret"),
        consequences=[
            gettext("Shows a new secret once. The application must use it from then on."),
            ends,
            gettext("A secret from before the present one stops working."),
        ],
        way_back="",
        button=gettext("Create a new secret"),
        fields={"overlap_hours": typed},
        is_dangerous=not hours,
    )


def _end_old_secret(client_id: str) -> Effect | BaseResponse:
    return _of_client(
        _client(client_id),
        title=gettext("End the previous secret"),
        consequences=[
            gettext("Only the present secret works. A program with the previous one stops."),
        ],
        way_back="",
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
        way_back=gettext("Propose the change again."),
        button=gettext("Withdraw"),
        back=url_for("console.proposals"),
        version=str(row.decided_at),
    )


def _rotate_key() -> Effect | BaseResponse:
    alg = request.form.get("alg", "")
    if alg not in signing_keys.ALGORITHMS:
        abort(400)
    keys = signing_keys.every_key(current.work())
    active = next(row for row in keys if (row.alg, row.state) == (alg, KeyState.ACTIVE))
    clients, _reach = consequences.of_signing_key(current.work(), active)
    return Effect(
        title=gettext("Start using the next key"),
        about=f"{alg} ({active.kid})",
        consequences=[
            ngettext(
                "The next key signs the tokens of %(num)s application.",
                "The next key signs the tokens of %(num)s applications.",
                clients,
            ),
            gettext("The present key is published until its last token has expired."),
        ],
        way_back="",
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
    return Effect(
        title=gettext("Revoke a signing key"),
        about=f"{key.alg} ({key.kid})",
        consequences=[
            gettext("Everything signed with this key becomes invalid immediately."),
            ngettext(
                "%(num)s application uses this algorithm.",
                "%(num)s applications use this algorithm.",
                clients,
            ),
            *_used_by(reach),
        ],
        way_back="",
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
    vacant = gettext("Nobody else has this function: the participant is asked to appoint somebody.")
    return Effect(
        title=gettext("Remove a function"),
        about=f"{person.full_name if person else fields['person_id']}, "
        f"{labels.function(fields['function'])}, {row.name} ({row.number})",
        consequences=[
            gettext("The person no longer speaks for the participant in this function."),
            gettext("Sends an e-mail to the people concerned."),
            *([] if left else [vacant]),
        ],
        way_back=gettext("Appoint the person again."),
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
        way_back="",
        button=gettext("Let registration continue"),
        back=url_for("console.alarms"),
        version=f"{breaker.changed}/{breaker.limit}",
    )


def _is_dismissal() -> bool:
    return request.form.get("change") == "dismiss"


#: By endpoint.
ACTS: Mapping[str, Act] = {
    "console.act": Act(_act_on_account),
    "console.revoke": Act(_revoke),
    "console.disable_client": Act(_disable_client),
    "console.rotate_secret": Act(_rotate_secret),
    "console.end_old_secret": Act(_end_old_secret),
    "console.withdraw_proposal": Act(_withdraw_proposal),
    "console.rotate_key": Act(_rotate_key),
    "console.revoke_key": Act(_revoke_key),
    "console.confirm_mass_change": Act(_confirm_mass_change),
    "console.set_contact": Act(_dismiss_contact, applies=_is_dismissal),
}
