"""The account actions that an operator confirms, and what the confirmation page says about each.

Each handler in ``ACTS`` returns the ``Effect`` of one action, or the response that refuses it. A
missing key or session is a 404.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import abort, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.directory import (
    held_role_groups,
    participants,
    persons,
    role_groups,
    separation_of_duties,
)
from idp.directory.persons import PersonChanges
from idp.errors import ActionNotPossible, CallerNotVerified, Invalid, NotFound, Refused
from idp.helpdesk import account_actions, caller_verification, consequences
from idp.helpdesk.consequences import AccountReach
from idp.machines import machine_keys
from idp.models import Account, AccountKind
from idp.policy.console import HARMLESS, ConsoleAction
from idp.policy.user_agents import describe_user_agent
from idp.web import refusal_texts
from idp.web.console import account_change_pages, account_page, gate, labels, role_group_pages
from idp.web.console.confirmation import Act, Effect


def _act_on_account(subject: str, action: str) -> Effect | BaseResponse:
    """An action of ``policy.console.ConsoleAction``."""
    account = account_page.one(subject)
    if (refusal := _refusal(account, action)) is not None:
        return account_page.page(account, error=refusal)
    reach = consequences.of_account(current.work(), account)
    sentences, undo = _DESCRIPTIONS[ConsoleAction(action)](account, reach)
    return Effect(
        title=labels.action(action),
        about=_named(account),
        consequences=sentences,
        undo=undo,
        button=labels.action(action),
        back=_account_page(account),
        version=_version(account),
        is_dangerous=action not in HARMLESS,
        account=account,
        ticket=_ticket(account),
        is_recorded=True,
    )


def _refusal(account: Account, action: str) -> str | None:
    """Why the operator may not do this to the account, in the language of the page."""
    operator = gate.operator()
    order = account_actions.ActionRequest(operator.account, operator.roles, action, "", "")
    try:
        account_actions.check(current.work(), order, account)
    except (ActionNotPossible, CallerNotVerified) as refusal:
        return labels.refusal(refusal)
    return None


def _ticket(account: Account) -> str:
    """The ticket of the verified call about the account; empty if there is none."""
    call = caller_verification.find_active(current.work(), gate.operator().account, account)
    return call.ticket if call else ""


def _named(account: Account) -> str:
    return f"{account.person.full_name} ({account.username})"


def _account_page(account: Account) -> str:
    return url_for("console.account", subject=account.subject)


def _version(account: Account) -> str:
    """The account data that the page shows; if they change, the confirmation is no longer valid."""
    changed = account.password_changed_at
    since = (account.state_changed_at.isoformat(), changed.isoformat() if changed else "")
    return "/".join((account.state, *since, str(account.person_id), account.person.email))


def _session_consequences(account: Account, reach: AccountReach) -> list[str]:
    """One sentence for each thing that ends when all sessions of the account end."""
    found = [
        ngettext(
            "Ends %(num)s session: the account holder is signed out.",
            "Ends %(num)s sessions: the account holder is signed out everywhere.",
            reach.sessions,
        )
        if reach.sessions
        else gettext("Nobody is signed in with this account now."),
    ]
    if reach.applications:
        found.append(
            ngettext(
                "Ends the tokens of %(num)s application.",
                "Ends the tokens of %(num)s applications.",
                reach.applications,
            )
        )
    if reach.browsers:
        found.append(
            ngettext(
                "Forgets %(num)s remembered browser.",
                "Forgets %(num)s remembered browsers.",
                reach.browsers,
            )
        )
    if account.kind == AccountKind.MACHINE:
        found.append(
            ngettext(
                "Programs that use this account can stop working. It has %(num)s key.",
                "Programs that use this account can stop working. It has %(num)s keys.",
                reach.keys,
            )
            if reach.keys
            else gettext("Programs that use this account can stop working.")
        )
    return found


def _reset_link_sent(account: Account) -> str:
    text = gettext(
        "Sends an e-mail to %(email)s with a link to choose a new password. The link works for "
        "%(days)s days.",
        email=account.person.email,
        days=current.work().settings.agent_reset_days,
    )
    return str(text)


def _password_stops() -> str:
    return str(gettext("The current password stops working immediately."))


def _undone_by_new_password() -> str:
    text = gettext(
        "The account holder chooses a new password and signs in again. The previous password "
        "cannot be restored."
    )
    return str(text)


#: The consequences of an action, and how to undo it; the latter is empty if it cannot be undone.
Description = tuple[list[str], str]


def _reset_mail(account: Account, reach: AccountReach) -> Description:
    return [
        _password_stops(),
        *_session_consequences(account, reach),
        _reset_link_sent(account),
    ], _undone_by_new_password()


def _temporary_password(account: Account, reach: AccountReach) -> Description:
    shown = gettext(
        "Shows a temporary password once, to read aloud. It works for one sign-in within "
        "%(hours)s hours.",
        hours=current.work().settings.temporary_password_seconds // 3600,
    )
    return [
        _password_stops(),
        *_session_consequences(account, reach),
        shown,
    ], _undone_by_new_password()


def _unlock(_account: Account, _reach: AccountReach) -> Description:
    return [
        gettext("The account holder can sign in again with the current password."),
        gettext("Sends an e-mail to the account holder."),
    ], gettext("Lock the account again.")


def _resend_activation(account: Account, _reach: AccountReach) -> Description:
    return [
        gettext("Sends a new activation e-mail to %(email)s.", email=account.person.email),
        gettext("The previous link stops working. The expiry date stays the same."),
    ], gettext("Send the e-mail again. Only the latest link works.")


def _reset_factors(account: Account, reach: AccountReach) -> Description:
    removed = (
        ngettext(
            "Removes %(num)s verification method, the recovery codes and the security question.",
            "Removes %(num)s verification methods, the recovery codes and the security question.",
            reach.factors,
        )
        if reach.factors
        else gettext("Removes the recovery codes and the security question.")
    )
    back = gettext(
        "The account holder must set up verification methods again. Removed methods cannot be "
        "restored."
    )
    return [
        removed,
        _password_stops(),
        *_session_consequences(account, reach),
        _reset_link_sent(account),
    ], back


def _end_sessions(account: Account, reach: AccountReach) -> Description:
    return _session_consequences(account, reach), gettext("The account holder signs in again.")


def _lock(account: Account, reach: AccountReach) -> Description:
    return [
        gettext(
            "Nobody can sign in with this account. Links and temporary passwords stop working."
        ),
        *_session_consequences(account, reach),
    ], gettext("Select “Unlock” on the account page. Sessions and links are not restored.")


def _suspend(account: Account, reach: AccountReach) -> Description:
    return [
        gettext(
            "Nobody can sign in with this account. Links and temporary passwords stop working."
        ),
        *_session_consequences(account, reach),
        gettext("Keeps the role groups. Sends an e-mail to the account holder."),
    ], gettext("Select “Reactivate” on the account page. Sessions and links are not restored.")


def _restore(_account: Account, _reach: AccountReach) -> Description:
    return [
        gettext("The account returns to the status that it had before the suspension."),
        gettext("Sends an e-mail to the account holder."),
    ], gettext("Suspend the account again.")


def _deactivate(account: Account, reach: AccountReach) -> Description:
    revoked = ngettext(
        "Revokes %(num)s role group.", "Revokes %(num)s role groups.", reach.role_groups
    )
    return [
        gettext("Deactivates the account permanently. Its user name is never reused."),
        *_session_consequences(account, reach),
        *([revoked] if reach.role_groups else []),
    ], ""


_DESCRIPTIONS: Mapping[ConsoleAction, Callable[[Account, AccountReach], Description]] = {
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
if absent := set(ConsoleAction).difference(_DESCRIPTIONS):
    raise RuntimeError(f"no description of {', '.join(absent)}")


def _revoke(subject: str) -> Effect | BaseResponse:
    """Revoke a role group of the account at one participant."""
    work, account = current.work(), account_page.one(subject)
    fields = {name: request.form.get(name, "").strip() for name in ("group", "participant")}
    role_group_pages.check(account, fields["group"])
    try:
        group = role_groups.by_name(work, fields["group"])
        participant = participants.by_number(work, fields["participant"])
    except (Invalid, NotFound) as error:
        return account_page.page(
            account, error=refusal_texts.of(error), tab=account_page.ACCESS_TAB
        )
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
        undo=gettext("Grant the role group again."),
        button=gettext("Revoke"),
        back=account_page.address(account, account_page.ACCESS_TAB),
        version=f"{account.state}/{held}",
        fields=fields,
        account=account,
    )


def _end_session(subject: str, public_id: str) -> Effect | BaseResponse:
    """End one session. The rules are those for ending all sessions."""
    account = account_page.one(subject)
    row = account_change_pages.session_of(account, public_id)
    if (refusal := _refusal(account, ConsoleAction.END_SESSIONS)) is not None:
        return account_page.page(account, error=refusal, tab="sessions")
    return Effect(
        title=gettext("End a session"),
        about=f"{_named(account)}, {describe_user_agent(row.user_agent)}, {row.ip or ''}",
        consequences=[
            gettext("Signs the account holder out in this browser."),
            gettext("Ends what applications were granted in this session."),
            gettext("Sends an e-mail to the account holder."),
        ],
        undo=gettext("The account holder signs in again."),
        button=gettext("End session"),
        back=account_page.address(account, "sessions"),
        version=row.public_id,
        account=account,
        ticket=_ticket(account),
    )


def _remove_machine_key(subject: str, kid: str) -> Effect | BaseResponse:
    work, account = current.work(), account_page.one(subject)
    separation_of_duties.check(work, account)
    row = next((one for one in machine_keys.of(work, account) if one.kid == kid), None)
    if row is None:
        abort(404)
    return Effect(
        title=gettext("Remove a key"),
        about=f"{_named(account)}, {row.label} ({row.kid})",
        consequences=[
            gettext("Programs that use this key cannot sign in any more."),
            gettext("Ends all tokens of the account. Programs with another key get new ones."),
        ],
        undo="",
        button=gettext("Remove key"),
        back=account_page.address(account, account_page.MACHINE_TAB),
        version=row.kid,
        account=account,
    )


def _change_custodian(subject: str) -> Effect | BaseResponse:
    work, account = current.work(), account_page.one(subject)
    separation_of_duties.check(work, account)
    try:
        person = account_change_pages.custodian_of_form()
    except NotFound as error:
        text = refusal_texts.of(error)
        return account_page.page(account, error=text, tab=account_page.MACHINE_TAB)
    separation_of_duties.check_person(work, person)
    reach = consequences.of_account(work, account)
    return Effect(
        title=gettext("Change the custodian"),
        about=f"{account.username}, {person.full_name} ({person.person_id})",
        consequences=[
            gettext("Password, keys and verification methods of the present custodian end."),
            *_session_consequences(account, reach),
            gettext("Sends an e-mail to both persons; the new custodian chooses a password."),
        ],
        undo="",
        button=gettext("Change the custodian"),
        back=account_page.address(account, account_page.MACHINE_TAB),
        version=_version(account),
        fields={"person_id": person.person_id},
        account=account,
    )


def _correct_person(subject: str) -> Effect | BaseResponse:
    work, account = current.work(), account_page.one(subject)
    separation_of_duties.check(work, account)
    typed = account_change_pages.typed_person(account.person)
    try:
        changed = persons.differences(account.person, PersonChanges(**typed))
    except (Invalid, Refused) as error:
        return account_change_pages.correction(account, refusal_texts.of(error))
    if not changed:
        return account_change_pages.correction(account, gettext("Nothing was changed."))
    before = account_change_pages.registered_person(account.person)
    held = persons.accounts_of(work, account.person)
    return Effect(
        title=gettext("Correct the data of a person"),
        about=f"{account.person.full_name} ({account.person.person_id})",
        consequences=[
            *(
                f"{before[name] or '–'} → {typed[name] or '–'}"
                for name in typed
                if before[name] != typed[name]
            ),
            ngettext("Changes %(num)s account.", "Changes %(num)s accounts.", len(held)),
            *(_address_consequences(before["email"], typed["email"]) if "email" in changed else ()),
        ],
        undo=gettext("Correct the data again."),
        button=gettext("Correct"),
        back=url_for("console.correct_person", subject=account.subject),
        version=account.person.updated_at.isoformat(),
        fields=typed,
        is_dangerous="email" in changed,
        account=account,
    )


def _address_consequences(before: str, after: str) -> list[str]:
    return [
        gettext("Sends an e-mail to %(old)s and to %(new)s.", old=before, new=after),
        gettext(
            "Links and codes that were sent to the previous address end. A pending activation "
            "is mailed again."
        ),
    ]


ACTS: Mapping[str, Act] = {
    "console.act": Act(_act_on_account),
    "console.revoke": Act(_revoke),
    "console.end_session": Act(_end_session),
    "console.correct_person": Act(_correct_person),
    "console.change_custodian": Act(_change_custodian),
    "console.remove_machine_key": Act(_remove_machine_key),
}
