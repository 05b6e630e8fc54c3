"""Appointments as a service: what each writes, whom it tells, and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from registration import appointments
from registration.appointment_refusals import (
    AlreadyInOffice,
    AppointmentNotFound,
    EndBeforeStart,
    ReasonNeedsText,
)
from registration.appointments import EndReason, Terms
from registration.delegation_facts import Actor, Tier
from registration.delegation_rules import Reason
from registration.models import Account, Appointment, History, Notice, Push, Request, Task
from registration.permission import NotAllowed
from registration.transaction import Runtime
from registration.work_refusals import ChangedMeanwhile
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.company import DESK, LAKES, WIND, Company, organization, person


@pytest.fixture
def company(runtime: Runtime) -> Company:
    """One organization with an officer of every tier."""
    company = Company(runtime)
    company.found()
    return company


WRITTEN = (Account, Appointment, History, Notice, Push, Request, Task)


def appoint(
    company: Company,
    actor: Actor,
    name: str,
    office: Tier,
    terms: Terms | None = None,
    number: str = LAKES,
) -> None:
    with company.work(actor.person) as work:
        appointments.appoint(
            work, actor, organization(work, number), person(work, name), office, terms
        )


def end(
    company: Company,
    actor: Actor,
    name: str,
    office: Tier,
    reason: EndReason = EndReason.LEFT,
    text: str = "",
    letter: str = "",
) -> None:
    row, version = company.appointment(name, office)
    with company.work(actor.person) as work:
        appointments.end(work, actor, row, version, reason, text, letter)


def test_g_a_pc_appoints_an_ra_who_gets_an_account_and_a_mail(company: Company) -> None:
    """G.01, G.02, TM-12, TM-15, NT-06, PR-01: everything in one transaction."""
    appoint(company, Actor("pc"), "new", Tier.RA, Terms(why="More people"))
    assert company.notices() == [
        ("appointed", "new@lakes.example",
         "[SANDBOX] You are now Rights Administrator of Northern Lakes"),
    ]  # fmt: skip
    assert company.history() == [
        ("appointment.made", "pc", "More people"),
        ("account.ordered", "pc", ""),
    ]
    body = company.last_push()
    assert body["externalId"] == "person-new"
    assert body[REGISTRATION_USER]["grants"] == [
        {"roleGroup": "Registration User", "participantId": LAKES, "grantedBy": "pc"}
    ]
    with company.work() as work:
        request = work.db.query(Request).one()
        assert (request.state, request.waits_for) == ("open", 2)
        assert request.number == body[REGISTRATION_USER]["requestNumber"]
        notice = work.db.query(Notice).one()
        assert "Pc Smith has appointed you" in notice.body
        assert notice.history_id == work.db.query(History).order_by(History.id).first().id


def test_the_mail_is_in_the_language_of_the_recipient(company: Company) -> None:
    """NT-06."""
    appoint(company, Actor("pc"), "french", Tier.RA)
    subject = company.notices()[0][2]
    assert subject == "[SANDBOX] Vous êtes maintenant administrateur des droits – Northern Lakes"


@pytest.mark.parametrize(
    ("actor", "office", "number", "reason"),
    [
        ("ra", Tier.PC, LAKES, Reason.TIER),
        ("ra", Tier.RA, LAKES, Reason.TIER),
        ("pc", Tier.AR, LAKES, Reason.TIER),
        ("ar", Tier.RA, LAKES, Reason.TIER),
        ("new", Tier.RA, LAKES, Reason.NOT_YOURS),
        ("pc", Tier.RA, WIND, Reason.NOT_YOURS),
        ("ar", Tier.AR, WIND, Reason.NOT_YOURS),
    ],
)
def test_a_refused_appointment_writes_nothing(
    company: Company, actor: str, office: Tier, number: str, reason: Reason
) -> None:
    """TM-01, TM-07."""
    before = [company.count(model) for model in WRITTEN]
    with pytest.raises(NotAllowed) as refused:
        appoint(company, Actor(actor), "french", office, number=number)
    assert refused.value.reason is reason
    assert [company.count(model) for model in WRITTEN] == before


def test_the_first_ar_needs_the_ieso_and_a_letter(company: Company) -> None:
    """TM-02, TM-03: the reference is kept; the next AR is appointed by the first."""
    with pytest.raises(NotAllowed) as refused:
        appoint(company, DESK, "new", Tier.AR, number=WIND)
    assert refused.value.reason is Reason.LETTER_MISSING
    appoint(company, DESK, "new", Tier.AR, Terms(letter=" L-77 "), number=WIND)
    with company.work() as work:
        row = work.db.query(Appointment).order_by(Appointment.id.desc()).first()
        assert row.letter_reference == "L-77"
        assert "IESO has appointed you" in work.db.query(Notice).one().body
    with pytest.raises(NotAllowed) as refused:
        appoint(company, DESK, "french", Tier.AR, Terms(letter="L-78"), number=WIND)
    assert refused.value.reason is Reason.AR_IN_OFFICE
    appoint(company, Actor("new"), "french", Tier.AR, number=WIND)


def test_nobody_is_appointed_twice_or_into_the_past(company: Company) -> None:
    with pytest.raises(AlreadyInOffice, match="Ra Smith holds this role already"):
        appoint(company, Actor("pc"), "ra", Tier.RA)
    with pytest.raises(EndBeforeStart):
        appoint(company, Actor("pc"), "new", Tier.RA, Terms(until=company.clock.now()))


def test_an_appointment_with_an_end_is_pushed_with_it_and_can_be_repeated(company: Company) -> None:
    """An expired row makes room, and the administrator keeps nothing after his end."""
    until = company.clock.now() + timedelta(hours=1)
    appoint(company, Actor("pc"), "new", Tier.RA, Terms(until=until))
    (grant,) = company.last_push()[REGISTRATION_USER]["grants"]
    assert grant["validUntil"] == until.isoformat()
    company.clock.advance(3600)
    with pytest.raises(NotAllowed):
        appoint(company, Actor("new"), "french", Tier.APPREP)
    appoint(company, Actor("pc"), "new", Tier.RA)
    appoint(company, Actor("new"), "french", Tier.APPREP)


def test_j_the_last_ra_ends_and_the_pc_is_asked_for_another(company: Company) -> None:
    """J.01, TM-06, TM-14, NT-11: warned before; a task and a mail; done by the next appointment."""
    row, _ = company.appointment("ra", Tier.RA)
    with company.work("pc") as work:
        preview = appointments.preview_end(work, Actor("pc"), work.db.get(Appointment, row))
    assert preview.is_last
    assert [one.people for one in preview.asked] == [("pc",)]
    end(company, Actor("pc"), "ra", Tier.RA, EndReason.OTHER, "moved away")
    assert company.tasks() == [("pc", {"organization": LAKES, "office": "ra"})]
    assert [one[:2] for one in company.notices()] == [
        ("appointment_ended", "ra@lakes.example"),
        ("officer_left", "pc@lakes.example"),
        ("vacancy", "pc@lakes.example"),
    ]
    assert company.history()[-1] == ("appointment.ended", "pc", "other: moved away")
    appoint(company, Actor("pc"), "new", Tier.RA)
    assert company.tasks() == []


def test_the_last_pc_is_replaced_by_the_ar_and_the_last_ar_by_the_ieso(company: Company) -> None:
    """TM-03, TM-05, NT-11."""
    end(company, Actor("ar"), "pc", Tier.PC)
    assert company.tasks() == [("ar", {"organization": LAKES, "office": "pc"})]
    end(company, Actor("ar"), "ar", Tier.AR)
    assert company.tasks()[1:] == [(None, {"organization": LAKES, "office": "ar"})]
    with pytest.raises(NotAllowed) as refused:
        appoint(company, Actor("apprep"), "new", Tier.AR)
    assert refused.value.reason is Reason.FIRST_AR


def test_only_one_ar_left_is_said_before(company: Company) -> None:
    """TM-04."""
    appoint(company, Actor("ar"), "new", Tier.AR)
    row, _ = company.appointment("new", Tier.AR)
    with company.work() as work:
        preview = appointments.preview_end(work, Actor("ar"), work.db.get(Appointment, row))
    assert (preview.is_last, preview.leaves_one_ar) == (False, True)


def test_what_the_end_takes_is_pushed(company: Company) -> None:
    """J.02, PR-01: the role group is missing in the next push."""
    appoint(company, Actor("pc"), "new", Tier.RA)
    end(company, Actor("pc"), "new", Tier.RA)
    assert company.last_push()[REGISTRATION_USER]["grants"] == []


def test_an_outsider_does_not_learn_that_an_appointment_exists(company: Company) -> None:
    """TM-07: another company's id is answered like none."""
    appoint(company, DESK, "new", Tier.AR, Terms(letter="L-1"), number=WIND)
    row, version = company.appointment("ra", Tier.RA)
    for number in (row, row + 1000):
        with pytest.raises(AppointmentNotFound), company.work("new") as work:
            appointments.end(work, Actor("new"), number, version, EndReason.LEFT)
    with pytest.raises(NotAllowed), company.work("ar") as work:
        appointments.end(work, Actor("ar"), row, version, EndReason.LEFT)


def test_the_second_administrator_does_not_overwrite_the_first(company: Company) -> None:
    """The form carries the version of the row."""
    row, version = company.appointment("ra", Tier.RA)
    end(company, Actor("pc"), "ra", Tier.RA)
    with pytest.raises(ChangedMeanwhile), company.work("pc") as work:
        appointments.end(work, Actor("pc"), row, version, EndReason.LEFT)
    row, version = company.appointment("apprep", Tier.APPREP)
    with pytest.raises(ChangedMeanwhile), company.work("ar") as work:
        appointments.end(work, Actor("ar"), row, version + 1, EndReason.LEFT)


def test_the_reason_other_needs_words(company: Company) -> None:
    """TM-14."""
    with pytest.raises(ReasonNeedsText):
        end(company, Actor("pc"), "ra", Tier.RA, EndReason.OTHER, "  ")


def test_of_two_pcs_who_end_each_other_at_once_one_stays(company: Company) -> None:
    """TM-05: the second one is no PC any more when it is his turn."""
    appoint(company, Actor("ar"), "new", Tier.PC)
    barrier, failed = Barrier(2), []

    def run(actor: str, other: str) -> None:
        row, version = company.appointment(other, Tier.PC)
        barrier.wait()
        try:
            with company.work(actor) as work:
                appointments.end(work, Actor(actor), row, version, EndReason.LEFT)
        except (NotAllowed, AppointmentNotFound):
            failed.append(actor)

    threads = [Thread(target=run, args=pair) for pair in (("pc", "new"), ("new", "pc"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 1
    assert company.tasks() == []


def test_nt05_the_primary_contacts_are_told_that_a_rights_administrator_is_none_any_more(
    company: Company,
) -> None:
    """J.04, each in the own language; of another office they are not told."""
    appoint(company, Actor("ar"), "french", Tier.PC)
    appoint(company, Actor("pc"), "new", Tier.RA)
    before = len(company.notices())
    end(company, Actor("pc"), "new", Tier.RA)
    assert company.notices()[before:] == [
        ("appointment_ended", "new@lakes.example",
         "[SANDBOX] You are no longer Rights Administrator of Northern Lakes"),
        ("officer_left", "pc@lakes.example",
         "[SANDBOX] New Smith is no longer Rights Administrator of Northern Lakes"),
        ("officer_left", "french@lakes.example",
         "[SANDBOX] New Smith – fin du rôle : administrateur des droits, Northern Lakes"),
    ]  # fmt: skip
    with company.work() as work:
        body = work.db.query(Notice).order_by(Notice.id.desc()).offset(1).first().body
    assert "Pc Smith has ended the appointment of New Smith" in body
    before = len(company.notices())
    end(company, Actor("ar"), "french", Tier.PC)
    assert [kind for kind, *_ in company.notices()[before:]] == ["appointment_ended"]
