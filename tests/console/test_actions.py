"""What Customer Relations does on the telephone (manual 9.1.4; CR-01 to CR-10)."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import update

from idp.app import db
from idp.credentials import passwords, temporary_passwords
from idp.directory import accounts, activation, held_role_groups
from idp.factors import authenticators
from idp.mfa.assurance import FactorKind
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    CallerVerification,
    TemporaryPassword,
)
from idp.policy.console import ACTIONS, ConsoleRole, Fact
from idp.transaction import UnitOfWork
from tests.console.desk import Desk
from tests.world import NEW_PASSWORD, PASSWORD, World

HELPFUL = [name for name in ACTIONS if name != "deactivate"]
#: The state in which an action can be shown.
STATE_FOR = {
    "restore": AccountState.SUSPENDED,
    "unlock": AccountState.LOCKED,
    "resend-activation": AccountState.PENDING,
}


def prepared(world: World, action: str) -> str:
    """An account on which the action makes sense."""
    username = world.account(state=STATE_FOR.get(action, AccountState.ACTIVE))
    if action == "reset-factors":
        with world.work() as work:
            account = accounts.by_username(work, username)
            row = authenticators.start_enrolment(
                work, account, FactorKind.TOTP, name="My telephone"
            )
            row.confirmed_at = work.now
    if action == "resend-activation":
        with world.work() as work:
            activation.invite(work, accounts.by_username(work, username))
    return username


@pytest.mark.parametrize("action", HELPFUL)
def test_cr02_without_a_verified_caller_actions_are_refused(world: World, action: str) -> None:
    """CR-02: refused, nothing changed, nothing mailed; with a verification it is done."""
    desk, username = Desk.of(world), prepared(world, action)
    before, mails = world.account_row(username).state, len(world.mails(to=username))
    refused = desk.act(action, username)
    assert refused.status_code == 400
    assert "Verify the caller first" in refused.text
    assert world.account_row(username).state == before
    assert len(world.mails(to=username)) == mails
    desk.verify(username)
    assert desk.act(action, username).status_code in (200, 303)


@pytest.mark.parametrize("action", HELPFUL)
def test_every_action_is_audited_and_mailed_to_the_account_holder(
    world: World, action: str
) -> None:
    """Who, why, under which ticket; and a mail."""
    desk, username = Desk.of(world), prepared(world, action)
    desk.verify(username)
    mails = len(world.mails(to=username))
    assert desk.act(action, username).status_code in (200, 303)
    (row,) = world.events(f"console.{action}")
    assert (row.actor, row.data["ticket"]) == (desk.username, "CR-1001")
    assert row.data["why"] == "request_of_holder"
    assert row.data["details"] == "asked on the telephone"
    assert len(world.mails(to=username)) == mails + 1


@pytest.mark.parametrize("action", ["unlock", "suspend"])
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("reason", "", "Choose a reason."),
        ("reason", "made up", "Choose a reason."),
        ("ticket", "", "Enter a ticket reference on one line."),
        ("ticket", "  ", "Enter a ticket reference on one line."),
        ("ticket", "two\nlines", "Enter a ticket reference on one line."),
        ("ticket", "x" * 61, "Enter a ticket reference on one line."),
        ("details", "two\nlines", "Describe the reason on one line, in at most 500 characters."),
        ("details", "x" * 501, "Describe the reason on one line, in at most 500 characters."),
    ],
)
def test_an_action_needs_a_reason_and_a_ticket(
    world: World, action: str, field: str, value: str, said: str
) -> None:
    """Refused with the field named; nothing changes."""
    desk, username = Desk.of(world), prepared(world, action)
    desk.verify(username)
    before = world.account_row(username).state
    answer = desk.act(action, username, **{field: value})
    assert answer.status_code == 400
    assert said in answer.text
    assert world.account_row(username).state == before
    assert world.events(f"console.{action}") == []


@pytest.mark.parametrize(
    ("facts", "enough"),
    [
        ([], False),
        ([Fact.USERNAME], False),
        ([Fact.USERNAME, Fact.EMAIL], False),
        ([Fact.PERSON_ID, Fact.ORGANIZATION, Fact.CALLBACK], False),
        ([Fact.USERNAME, Fact.PERSON_ID], False),
        ([Fact.USERNAME, Fact.PERSON_ID, Fact.ORGANIZATION], True),
        ([Fact.EMAIL, Fact.CALLBACK, Fact.PERSON_ID], True),
        ([Fact.USERNAME, Fact.EMAIL, Fact.CALLBACK], True),
        (["made", "up", "facts"], False),
    ],
)
def test_cr01_facts_that_verify_a_caller(world: World, facts: list[str], enough: bool) -> None:
    """CR-01, CR-02: the account named and two facts more; what matched is kept either way."""
    desk, username = Desk.of(world), world.account(phone="+1 613 555 0100")
    answer = desk.verify(username, [str(fact) for fact in facts])
    assert answer.status_code == (303 if enough else 400)
    row = world.events("caller.verified")[-1]
    assert (row.outcome == "ok") == enough
    assert set(row.data["facts"]) == {str(fact) for fact in facts} & set(Fact)
    assert (desk.act("end-sessions", username).status_code == 303) == enough


def test_cr02_a_refused_caller_is_recorded_and_disables_the_actions(world: World) -> None:
    """CR-02: denial is logged, and an earlier verification no longer counts."""
    desk, username = Desk.of(world), world.account()
    desk.verify(username)
    desk.post(f"{desk.path(username)}/caller/deny", ticket="CR-7")
    assert world.events("caller.verified")[-1].reason == "denied"
    assert desk.act("unlock", username).status_code == 400
    assert desk.act("end-sessions", username).status_code == 400


def test_cr09_a_call_back_needs_a_registered_number(world: World) -> None:
    """CR-02, CR-09: the box cannot be ticked and says why; a form that ticks it gains nothing."""
    desk, username = Desk.of(world), world.account()
    page = desk.open(username).text
    (box,) = re.findall(r'<input[^>]*id="fact-callback"[^>]*>', page)
    assert "disabled" in box
    assert "No phone number is registered." in page
    assert desk.verify(username, ["username", "person_id", "callback"]).status_code == 400
    assert world.events("caller.verified")[-1].data["facts"] == ["person_id", "username"]
    known = desk.open(world.account(phone="+1 613 555 0100")).text
    (box,) = re.findall(r'<input[^>]*id="fact-callback"[^>]*>', known)
    assert "disabled" not in box


@pytest.mark.parametrize("by", ["agent", "holder"])
def test_cr02_after_a_denial_only_a_code_verifies_the_caller(world: World, by: str) -> None:
    """CR-02: who was "not the holder" a minute ago is not verified by better answers, by no agent;
    the code that is sent to the holder verifies. After half an hour answers count again."""
    desk, colleague = Desk.of(world), Desk.of(world)
    username = world.account()
    send = f"{desk.path(username)}/code"
    if by == "agent":
        desk.post(f"{desk.path(username)}/caller/deny", ticket="CR-7")
    else:
        desk.post(send, channel="mail", ticket="CR-7")
        (link,) = [one for one in world.mails("caller_code")[-1].links if "/call" in one]
        holder = world.browser()
        page = holder.get(link.removeprefix(world.settings.issuer))
        assert holder.submit(page, "/call").status_code == 200
    world.clock.advance(minutes=1)
    said = "A recent caller was not the account holder. Until 25 November 2026, 10:00 EST"
    assert said in colleague.open(username).text
    for one in (desk, colleague):
        answer = one.verify(username)
        assert (answer.status_code, said in answer.text) == (400, True)
        assert world.events("caller.verified")[-1].reason == "recently_denied"
        assert one.act("end-sessions", username).status_code == 400
    colleague.post(send, channel="mail", ticket="CR-8")
    code = re.findall(r"\b\d{6}\b", world.mails("caller_code")[-1].text)[0]
    assert colleague.post(f"{send}/check", code=code).status_code == 303
    assert colleague.act("end-sessions", username).status_code == 303
    world.clock.advance(minutes=29)
    assert desk.verify(username).status_code == 303


def test_cr01_a_caller_verification_records_its_facts_and_ticket(world: World) -> None:
    """CR-01: names of facts and the ticket, in row and trail; no values. The page of an action
    proposes the ticket. Without one nothing is recorded."""
    desk, username = Desk.of(world), world.account()
    path = desk.path(username)
    for form in ("caller", "caller/deny", "code"):
        for ticket in ("", " ", "two\nlines", "x" * 61):
            answer = desk.post(f"{path}/{form}", ticket=ticket, fact=["username"])
            assert (answer.status_code, "Enter a ticket reference" in answer.text) == (400, True)
    assert world.events("caller.verified") == []
    desk.post(f"{path}/caller", fact=["username", "person_id", "organization"], ticket="T-9")
    with world.work() as work:
        (row,) = work.db.query(CallerVerification).all()
        assert (row.facts, row.ticket) == (["organization", "person_id", "username"], "T-9")
    (event,) = world.events("caller.verified")
    assert set(event.data) == {"facts", "ticket"}
    assert event.data["ticket"] == "T-9"
    assert 'value="T-9"' in desk.send(f"{path}/actions/lock").text
    desk.post(f"{path}/code", channel="mail", ticket="T-10")
    code = re.findall(r"\b\d{6}\b", world.mails("caller_code")[-1].text)[0]
    desk.post(f"{path}/code/check", code=code)
    event = world.events("caller.verified")[-1]
    assert event.data == {"facts": ["code"], "ticket": "T-10"}


def test_a_caller_verification_applies_to_one_agent_and_account_for_30_minutes(
    world: World,
) -> None:
    """Another agent, another account, and the next call each start anew."""
    desk, colleague = Desk.of(world), Desk.of(world)
    username, other = world.account(), world.account()
    desk.verify(username)
    assert colleague.act("end-sessions", username).status_code == 400
    assert desk.act("end-sessions", other).status_code == 400
    world.clock.advance(minutes=29, seconds=59)
    assert desk.act("end-sessions", username).status_code == 303
    world.clock.advance(seconds=1)
    assert desk.act("end-sessions", username).status_code == 400


@pytest.mark.parametrize("channel", ["mail", "sms"])
def test_a_code_verifies_the_caller(world: World, channel: str) -> None:
    """The message names the agent; the code read back opens the actions; five wrong ones end it."""
    desk, username = Desk.of(world), world.account()
    with world.work() as work:
        accounts.by_username(work, username).recovery_phone = "+14169671111"
    assert (
        desk.post(f"{desk.path(username)}/code", channel=channel, ticket="T-2").status_code == 303
    )
    message = world.mails(to=username)[-1]
    assert message.kind == ("sms_caller_code" if channel == "sms" else "caller_code")
    assert "Leila Haddad" in message.text
    code = re.findall(r"\b\d{6}\b", message.text)[0]
    assert code not in message.subject
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    check = f"{desk.path(username)}/code/check"
    assert desk.post(check, code=wrong).status_code == 400
    assert desk.act("end-sessions", username).status_code == 400
    colleague = Desk.of(world)
    assert colleague.post(check, code=code).status_code == 400
    assert desk.post(check, code=code).status_code == 303
    assert desk.act("end-sessions", username).status_code == 303
    assert desk.post(check, code=code).status_code == 400


def test_five_wrong_codes_invalidate_the_code(world: World) -> None:
    """N63 for the telephone: the right one comes too late."""
    desk, username = Desk.of(world), world.account()
    desk.post(f"{desk.path(username)}/code", channel="mail", ticket="T-2")
    code = re.findall(r"\b\d{6}\b", world.mails(to=username)[-1].text)[0]
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for _ in range(5):
        desk.post(f"{desk.path(username)}/code/check", code=wrong)
    assert desk.post(f"{desk.path(username)}/code/check", code=code).status_code == 400


def test_the_account_holder_sees_the_agent_and_can_deny_the_call(world: World) -> None:
    """The page behind the mail names the agent; "not me" ends the call for the agent."""
    desk, username = Desk.of(world), world.account()
    desk.verify(username)
    desk.post(f"{desk.path(username)}/code", channel="mail", ticket="T-2")
    message = world.mails("caller_code")[-1]
    code = re.findall(r"\b\d{6}\b", message.text)[0]
    (link,) = [entry for entry in message.links if "/call" in entry]
    holder = world.browser()
    page = holder.get(link.removeprefix(world.settings.issuer))
    assert "Leila Haddad" in page.text
    assert desk.act("end-sessions", username).status_code == 303
    assert holder.submit(page, "/call").status_code == 200
    assert desk.post(f"{desk.path(username)}/code/check", code=code).status_code == 400
    assert desk.act("end-sessions", username).status_code == 400
    assert world.events("caller.disowned")[-1].outcome == "refused"
    assert "Customer Relations has no open call" in holder.get("/call").text


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
def test_cr05_a_temporary_password_is_shown_once_and_spelled(
    world: World, kind: AccountKind
) -> None:
    """CR-05: on the agent's screen only: in no mail, no event, no later page."""
    desk, username = Desk.of(world), world.account(kind=kind)
    desk.verify(username)
    answer = desk.act("temporary-password", username)
    temporary = re.findall(r'class="big"><code>([^<]+)</code>', answer.text)[0]
    assert answer.headers["Cache-Control"] == "no-store"
    spelled = re.findall(r"<li><code>(.)</code>", answer.text)
    assert "".join(spelled) == temporary
    assert temporary not in desk.open(username).text
    texts = [mail.subject + mail.text + mail.html for mail in world.mails()]
    records = [json.dumps(event.data) for event in world.events()]
    assert not any(temporary in text for text in (*texts, *records))
    with world.work() as work:
        rows = work.db.query(TemporaryPassword).all()
        assert all(temporary not in row.password_hash for row in rows)


def test_temporary_passwords_differ_and_meet_the_policy(world: World) -> None:
    """CR-05: unguessable, and no part of the user name even by chance."""
    username = world.account(given_name="Bako", family_name="Tefi")
    with world.work() as work:
        account = accounts.by_username(work, username)
        made = {temporary_passwords.new_password(work, account) for _ in range(200)}
        assert len(made) == 200
        assert all(passwords.quick_violations(work, account, one) == () for one in made)


def test_cr08_a_temporary_password_helps_after_the_activation_link_expired(world: World) -> None:
    """CR-08, AC-03: the console says that only this helps, and offers no new link."""
    desk, username = Desk.of(world), prepared(world, "resend-activation")
    world.clock.advance(days=91)
    desk.browser.sign_in(desk.username)
    page = desk.open(username)
    assert "The activation link expired on" in page.text
    assert "/actions/resend-activation" not in page.text
    desk.verify(username)
    assert desk.act("resend-activation", username).status_code == 400
    temporary = desk.temporary_password(username)
    browser = world.browser()
    page = browser.sign_in(username, temporary)
    done = browser.submit(
        page, "/signin/password", current=temporary, password=NEW_PASSWORD, again=NEW_PASSWORD
    )
    assert "Your applications" in done.text
    assert world.account_row(username).activated_at is not None


def test_a_resent_activation_keeps_the_expiry_and_invalidates_the_first_link(world: World) -> None:
    """AC-03: 90 days from the first mail, not from the second."""
    desk, username = Desk.of(world), prepared(world, "resend-activation")
    first = world.mails("account_created")[-1].links[0]
    world.clock.advance(days=80)
    desk.browser.sign_in(desk.username)
    desk.verify(username)
    desk.act("resend-activation", username)
    second = world.mails("account_created")[-1].links[0]
    base = world.settings.issuer
    assert "link has been replaced" in world.browser().get(first.removeprefix(base)).text
    assert world.browser().get(second.removeprefix(base)).status_code == 200
    world.clock.advance(days=10)
    assert "has expired" in world.browser().get(second.removeprefix(base)).text


def test_cr04_the_reset_mail_goes_to_the_registered_address_for_seven_days(world: World) -> None:
    """CR-04, RS-04: the old password ends at once, the link after seven days."""
    desk, username = Desk.of(world), world.account()
    elsewhere = world.browser().signed_in(username)
    desk.verify(username)
    desk.act("reset-mail", username)
    mail = world.mails("password_reset_by_agent")[-1]
    assert mail.recipient == f"{username}@participant.example"
    assert "Sign in" in elsewhere.get("/").text
    assert world.browser().sign_in(username).status_code == 400
    path = mail.links[0].removeprefix(world.settings.issuer)
    world.clock.advance(days=7, seconds=-1)
    browser = world.browser()
    page = browser.get(path)
    browser.submit(page, "/recover/open", password=NEW_PASSWORD, again=NEW_PASSWORD)
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 200
    desk.browser.sign_in(desk.username)
    desk.verify(username)
    desk.act("reset-mail", username)
    late = world.mails("password_reset_by_agent")[-1].links[0]
    world.clock.advance(days=7)
    assert "has expired" in world.browser().get(late.removeprefix(world.settings.issuer)).text


@pytest.mark.parametrize("action", ["lock", "suspend"])
@pytest.mark.parametrize("before", [AccountState.PENDING, AccountState.ACTIVE])
def test_a_lock_and_a_suspension_restore_the_previous_state(
    world: World, action: str, before: AccountState
) -> None:
    """Reversible; in between nothing opens, and self-service says whom to call."""
    desk, username = Desk.of(world), world.account(state=before)
    desk.verify(username)
    desk.act(action, username)
    assert world.account_row(username).state == ("locked" if action == "lock" else "suspended")
    assert world.browser().sign_in(username).status_code == 400
    assert "since" in desk.open(username).text
    desk.act("unlock" if action == "lock" else "restore", username)
    assert world.account_row(username).state == before


def test_an_earlier_lock_applies_again_after_a_suspension(world: World) -> None:
    """Neither lifts the other."""
    desk, username = Desk.of(world), world.account()
    desk.verify(username)
    desk.act("lock", username)
    desk.act("suspend", username)
    assert desk.act("unlock", username).status_code == 400
    desk.act("restore", username)
    assert world.account_row(username).state == AccountState.LOCKED
    assert world.browser().sign_in(username).status_code == 400
    desk.act("unlock", username)
    assert world.account_row(username).state == AccountState.ACTIVE
    assert world.account_row(username).resumes_as is None
    assert world.browser().sign_in(username).status_code == 200


def test_a_required_reset_is_still_required_after_a_lock(world: World) -> None:
    """A lock in between does not bring an old password back."""
    desk, username = Desk.of(world), world.account()
    temporary = desk.temporary_password(username)
    desk.act("lock", username)
    assert world.browser().sign_in(username, temporary).status_code == 400
    desk.act("unlock", username)
    assert world.account_row(username).state == AccountState.RESET_REQUIRED
    for password in (PASSWORD, temporary):
        assert world.browser().sign_in(username, password).status_code == 400


def test_a_concurrent_action_does_not_undo_a_lock(world: World) -> None:
    """I4: what was read before somebody else locked the account does not unlock it: 409."""
    desk, username = Desk.of(world), world.account()
    desk.verify(username)
    make = temporary_passwords.new_password

    def meanwhile(work: UnitOfWork, account: Account) -> str:
        """Another process locks the account between the look at it and the change."""
        with db.engine.connect() as connection:
            connection.execute(
                update(Account).where(Account.id == account.id).values(state="locked")
            )
            connection.commit()
        return make(work, account)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(temporary_passwords, "new_password", meanwhile)
        answer = desk.act("temporary-password", username)
    assert answer.status_code == 409
    assert "Someone changed this information before you" in answer.text
    assert world.account_row(username).state == AccountState.LOCKED
    assert world.events("console.temporary-password") == []
    assert world.mails("temporary_password_issued") == []


def test_ending_sessions_forgets_browsers_too(world: World) -> None:
    """N58: every session at once."""
    desk, username = Desk.of(world), world.account()
    browsers = [world.browser() for _ in range(2)]
    for browser in browsers:
        browser.sign_in(username, remember="1")
    desk.verify(username)
    desk.act("end-sessions", username)
    assert all("Sign in" in browser.get("/").text for browser in browsers)
    settings = world.browser().signed_in(username).get("/settings/sessions")
    assert "Remembered browsers" not in settings.text


def test_pr04_deactivation_ends_all_access_and_revokes_role_groups(world: World) -> None:
    """PR-04, N81: final; also for Access Management there is no way back."""
    desk, username = Desk.of(world, ConsoleRole.ACCESS), world.account()
    world.role_group("EMI Viewer")
    world.grant_role(username, "EMI Viewer")
    browser = world.browser().signed_in(username)
    assert desk.act("deactivate", username).status_code == 303
    assert "Sign in" in browser.get("/").text
    with world.work() as work:
        assert held_role_groups.list_held(work, accounts.by_username(work, username)) == []
    for action in ACTIONS:
        assert desk.act(action, username).status_code == 400
    assert world.account_row(username).state == AccountState.DEACTIVATED


def test_the_account_page_says_why_sign_in_is_not_possible(world: World) -> None:
    """Locked since, expired on, no role group for."""
    desk = Desk.of(world)
    world.relying_party("CROW")
    waiting, locked = prepared(world, "resend-activation"), world.account()
    for _ in range(10):
        world.browser().sign_in(locked, "wrong")
    page = desk.open(waiting).text
    assert (
        "Not activated. The activation link sent on 25 November 2026, 09:30 EST expires on" in page
    )
    page = desk.open(locked).text
    assert "after too many failed attempts" in page
    assert "Unlocks automatically on 25 November 2026, 09:45 EST" in page
    access = desk.browser.get(f"{desk.path(locked)}/access").text
    assert "No role group for these applications: CROW" in access
    assert "<strong>Incorrect password</strong>" in page
    world.browser().sign_in(locked)
    world.browser().sign_in(waiting, "x")
    assert (
        "Correct password, but the account was locked after too many failed attempts"
        in desk.open(locked).text
    )
    assert "No password set" in desk.open(waiting).text
    world.set_state(locked, AccountState.SUSPENDED)
    world.clock.advance(minutes=16)
    world.browser().sign_in(locked)
    assert "Correct password, but the account was suspended" in desk.open(locked).text
    assert "This account can sign in" in desk.open(world.account()).text


def test_cr09_a_shared_number_is_no_proof(world: World) -> None:
    """CR-09: the page warns when several people have the same telephone."""
    desk = Desk.of(world)
    alone = world.account(phone="+1 613 555 0100 ext 12")
    assert "ext. 12" in desk.open(alone).text
    assert "It does not identify the caller" not in desk.open(alone).text
    world.account(phone="613-555-0100 x7")
    assert "2 people share this number. It does not identify the caller" in desk.open(alone).text


def test_mf03_the_console_says_why_no_second_factor_was_required(world: World) -> None:
    """MF-03: the reasons of the audit log in words."""
    desk = Desk.of(world)
    holder = world.account()
    world.browser().sign_in(holder)
    page = desk.browser.get(f"{desk.path(holder)}/sign-ins").text
    assert "The account has no verification method yet." in page
    assert ": not asked for" in page
    assert ": required" not in page
    assert "no_factor_set_up" not in page
