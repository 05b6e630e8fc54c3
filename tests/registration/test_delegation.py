"""Who may do what, as one table: actor x action x target x organization x participation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registration.delegation import (
    Allowed,
    Refused,
    WhoCan,
    appointable,
    leaves_vacant,
    may,
    offered,
    visible,
    who_fills,
)
from registration.delegation_facts import (
    OFFICES,
    AccountKind,
    Actor,
    Appointment,
    Facts,
    Machine,
    Participation,
    ParticipationState,
    Policy,
    Role,
    Target,
    Tier,
)
from registration.delegation_rules import RULES, Action, Reason
from registration.delegation_texts import next_steps, sentence

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LAKES, WIND = "109120", "111340"
ACTORS = ("ieso", "ar", "pc", "ra", "apprep", "holder")

#: Each line: the action; the tier of the person whom it concerns ("any": the answer is the same for
#: each; "-": it concerns no person); what the organization must have beforehand ("applied" or
#: "approved" participation, "-" nothing); then the answer to an actor of each tier *of the same
#: organization*: "yes" or the reason of the refusal ("held": holds_office). "self" as target: the
#: actor himself.
#: Actors of another organization get "not_yours" everywhere, but for the lines of ABROAD.
TABLE = """
action                   target  needs     ieso          ar     pc     ra      apprep  holder
appoint                  ar      applied   ar_in_office  yes    tier   tier    tier    tier
appoint                  pc      applied   tier          yes    yes    tier    tier    tier
appoint                  ra      applied   tier          tier   yes    tier    tier    tier
appoint                  apprep  applied   tier          yes    tier   yes     tier    tier
end_appointment          ar      -         yes           yes    tier   tier    tier    tier
end_appointment          pc      -         tier          yes    yes    tier    tier    tier
end_appointment          ra      -         tier          tier   yes    tier    tier    tier
end_appointment          apprep  -         tier          yes    tier   yes     tier    tier
grant_access             any     approved  tier          tier   tier   yes     yes     tier
revoke_access            ar      -         tier          tier   tier   yes     yes     tier
revoke_access            pc      -         tier          tier   tier   yes     yes     tier
revoke_access            ra      -         tier          tier   yes    yes     yes     tier
revoke_access            apprep  -         tier          tier   tier   yes     yes     tier
revoke_access            holder  -         tier          tier   tier   yes     yes     tier
assign_contact_role      any     approved  tier          tier   tier   tier    yes     tier
remove_contact_role      ar      -         tier          tier   tier   tier    yes     tier
remove_contact_role      pc      -         tier          tier   tier   tier    yes     tier
remove_contact_role      ra      -         tier          tier   yes    tier    yes     tier
remove_contact_role      apprep  -         tier          tier   tier   tier    yes     tier
remove_contact_role      holder  -         tier          tier   tier   tier    yes     tier
keep_sections            -       applied   tier          tier   tier   tier    yes     tier
search_persons           -       -         yes           yes    yes    yes     yes     tier
register_person          -       applied   yes           yes    yes    yes     yes     tier
update_person            any     -         yes           tier   tier   tier    tier    tier
update_person            self    -         yes           yes    yes    yes     yes     yes
correct_email            ar      -         yes           yes    tier   tier    tier    tier
correct_email            pc      -         yes           yes    yes    tier    tier    tier
correct_email            ra      -         yes           tier   yes    tier    tier    tier
correct_email            apprep  -         yes           yes    tier   yes     tier    tier
correct_email            holder  -         yes           tier   tier   yes     tier    tier
end_account              ar      -         tier          tier   held   held    held    tier
end_account              pc      -         tier          tier   held   held    held    tier
end_account              ra      -         tier          tier   held   held    held    tier
end_account              apprep  -         tier          tier   held   held    held    tier
end_account              holder  -         tier          tier   yes    yes     yes     tier
record_leaver            ar      -         tier          yes    held   held    tier    tier
record_leaver            pc      -         tier          yes    yes    held    tier    tier
record_leaver            ra      -         tier          held   yes    held    tier    tier
record_leaver            apprep  -         tier          yes    held   yes     tier    tier
record_leaver            holder  -         tier          yes    yes    yes     tier    tier
register_machine         any     applied   tier          tier   tier   yes     tier    tier
change_networks          -       -         tier          tier   tier   yes     tier    tier
hand_over_machine        any     -         tier          tier   tier   yes     tier    tier
stop_machine             -       -         tier          tier   tier   yes     tier    tier
request_access           any     -         tier          tier   tier   tier    tier    tier
request_access           self    -         not_yours     yes    yes    yes     yes     yes
register_organization    -       -         yes           tier   tier   tier    tier    tier
apply_for_participation  -       -         yes           tier   tier   tier    yes     tier
decide_participation     -       -         yes           tier   tier   tier    tier    tier
see_organization         -       -         yes           yes    yes    yes     yes     tier
see_person               any     -         yes           yes    yes    yes     yes     tier
see_person               self    -         yes           yes    yes    yes     yes     yes
see_machine              -       -         yes           yes    yes    yes     tier    tier
see_history              -       -         yes           yes    yes    yes     yes     tier
"""

#: What an actor of another organization is answered, where it is not "not_yours".
ABROAD = {
    ("update_person", "self"): "yes",
    ("see_person", "self"): "yes",
    ("register_organization", "-"): "tier",
}
_HEAD, *_LINES = [line.split() for line in TABLE.strip().splitlines()]
TIERS = ("ar", "pc", "ra", "apprep", "holder")
STATES = (None, *ParticipationState)


def cells(line: list[str]) -> list[tuple[str, str, str]]:
    """(target, actor, answer) of each cell, with "any" written out."""
    _, targets, _, *answers = line
    return [
        (target, actor, "holds_office" if answer == "held" else answer)
        for target in (TIERS if targets == "any" else (targets,))
        for actor, answer in zip(ACTORS, answers, strict=True)
    ]


def person(tier: str, organization: str = LAKES, number: int = 1) -> str:
    return f"{organization}-{tier}-{number}"


def people_of(organization: str) -> tuple[list[Appointment], set[tuple[str, str]]]:
    """Two people of every tier."""
    ends = NOW - timedelta(days=300), NOW + timedelta(days=300)
    officers = [
        Appointment(person(tier, organization, number), organization, tier, *ends)
        for tier in OFFICES
        for number in (1, 2)
    ]
    return officers, {(person("holder", organization, n), organization) for n in (1, 2)}


OFFICERS, MEMBERS = (
    people_of(LAKES)[0] + people_of(WIND)[0],
    people_of(LAKES)[1] | people_of(WIND)[1],
)
FACTS = Facts(
    NOW,
    tuple(OFFICERS),
    (
        Participation(LAKES, "energy", ParticipationState.APPROVED),
        Participation(WIND, "energy", ParticipationState.APPROVED),
    ),
    frozenset(MEMBERS),
)
ENERGY = Role("Submit bids", frozenset(("energy",)))
MACHINE = Machine("APIIESO00042", LAKES, person("holder", LAKES, 2))


def actor_of(tier: str, organization: str = LAKES) -> Actor:
    return (
        Actor("ieso-1", is_operator=True) if tier == "ieso" else Actor(person(tier, organization))
    )


def target_of(action: str, target: str, actor: Actor) -> Target:
    """The second person of the tier, so that nobody acts on himself by accident."""
    needs = RULES[Action(action)].needs
    who = {"self": actor.person, "-": ""}.get(target, person(target, LAKES, 2))
    office = Tier(target) if action in ("appoint", "end_appointment") else None
    machine = MACHINE if "machine" in needs else None
    return Target(LAKES, who, office, ENERGY, machine, letter="L-2026-11")


def answer_of(actor: Actor, action: str, target: str, facts: Facts) -> str:
    answer = may(actor, Action(action), target_of(action, target, actor), facts)
    return "yes" if isinstance(answer, Allowed) else answer.reason.value


def with_state(state: ParticipationState | None) -> Facts:
    held = (Participation(LAKES, "energy", state),) if state else ()
    return replace(FACTS, participations=held)


def test_the_table_has_every_action() -> None:
    assert {line[0] for line in _LINES} == set(Action)


@pytest.mark.parametrize("line", _LINES, ids=lambda line: f"{line[0]}-{line[1]}")
def test_the_same_organization(line: list[str]) -> None:
    """TM-01, TM-07, TM-08, RG-13: every cell, for every state of the participation."""
    action, _, needs, *_ = line
    for state in STATES:
        for target, actor, answer in cells(line):
            expected = answer
            if answer == "yes" and needs == "approved" and state != "approved":
                expected = "not_approved"
            if answer == "yes" and needs == "applied" and state in (None, "ended"):
                expected = "not_applied"
            given = answer_of(actor_of(actor), action, target, with_state(state))
            assert given == expected, (target, actor, state)


@pytest.mark.parametrize("line", _LINES, ids=lambda line: f"{line[0]}-{line[1]}")
def test_another_organization(line: list[str]) -> None:
    """TM-07: outsiders are told nothing, not even who could."""
    action = line[0]
    for target, actor, _ in cells(line):
        if actor == "ieso":
            continue
        outsider = actor_of(actor, WIND)
        expected = ABROAD.get((action, target), "not_yours")
        assert answer_of(outsider, action, target, FACTS) == expected, (target, actor)
        answer = may(outsider, Action(action), target_of(action, target, outsider), FACTS)
        if isinstance(answer, Refused) and expected == "not_yours":
            assert answer.who_can == ()


@pytest.mark.parametrize("tier", OFFICES)
def test_an_office_counts_from_its_start_until_its_end(tier: Tier) -> None:
    """An administrator keeps nothing after his end; the end itself no longer counts."""
    held = Appointment("7", LAKES, tier, NOW, NOW + timedelta(hours=1))
    facts = Facts(NOW, (held,))
    see = Action.SEE_ORGANIZATION, Target(LAKES)
    assert isinstance(may(Actor("7"), *see, facts), Allowed)
    early = replace(facts, at=NOW - timedelta(seconds=1))
    late = replace(facts, at=NOW + timedelta(hours=1))
    assert may(Actor("7"), *see, early) == Refused(Reason.NOT_YOURS)
    assert may(Actor("7"), *see, late) == Refused(Reason.NOT_YOURS)


def only(*held: tuple[str, Tier]) -> Facts:
    """An organization with exactly these officers, and a holder."""
    since = NOW - timedelta(days=1)
    return replace(
        FACTS,
        appointments=tuple(Appointment(who, LAKES, office, since) for who, office in held),
        members=frozenset({("holder", LAKES)}),
    )


def test_the_ieso_appoints_the_first_ar_by_letter() -> None:
    """TM-02, TM-03: nobody else can, and the reference of the letter is needed."""
    facts = only(("pc", Tier.PC))
    target = Target(LAKES, "new", Tier.AR, letter="L-7")
    desk = Actor("ieso-1", is_operator=True)
    assert may(desk, Action.APPOINT, target, facts) == Allowed()
    blank = replace(target, letter=" ")
    assert may(desk, Action.APPOINT, blank, facts) == Refused(Reason.LETTER_MISSING)
    refused = may(Actor("pc"), Action.APPOINT, target, facts)
    assert refused == Refused(Reason.FIRST_AR, (WhoCan(Tier.IESO, LAKES),))


def test_the_ieso_ends_an_ar_by_letter_only() -> None:
    """TM-03: an AR who left without a successor."""
    desk, target = Actor("ieso-1", is_operator=True), Target(LAKES, "ar", Tier.AR)
    facts = only(("ar", Tier.AR))
    assert may(desk, Action.END_APPOINTMENT, target, facts) == Refused(Reason.LETTER_MISSING)
    with_letter = replace(target, letter="L-8")
    assert may(desk, Action.END_APPOINTMENT, with_letter, facts) == Allowed()
    assert may(Actor("ar"), Action.END_APPOINTMENT, target, facts) == Allowed(on_oneself=True)


@pytest.mark.parametrize(("actor", "office"), [("ar", "pc"), ("pc", "ra"), ("ra", "apprep")])
def test_nobody_appoints_himself(actor: str, office: str) -> None:
    """The others who can are named, never the actor."""
    asked = actor_of(actor)
    target = Target(LAKES, asked.person, Tier(office))
    answer = may(asked, Action.APPOINT, target, FACTS)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.ONESELF
    named = {one for who in answer.who_can for one in who.people}
    assert person(actor, LAKES, 2) in named
    assert asked.person not in named


def test_the_operator_cannot_make_himself_an_ar() -> None:
    """TM-02."""
    desk = Actor("ieso-1", is_operator=True)
    answer = may(desk, Action.APPOINT, Target(LAKES, "ieso-1", Tier.AR, letter="L"), only())
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.ONESELF


def test_several_offices_add_up() -> None:
    """An AR who is also RA grants access; he still appoints no RA."""
    facts = only(("both", Tier.AR), ("both", Tier.RA), ("pc", Tier.PC))
    grant = Target(LAKES, "holder", role=ENERGY)
    assert may(Actor("both"), Action.GRANT_ACCESS, grant, facts) == Allowed()
    appoint = Target(LAKES, "holder", Tier.RA)
    assert may(Actor("both"), Action.APPOINT, appoint, facts) == Refused(
        Reason.TIER, (WhoCan(Tier.PC, LAKES, ("pc",)),)
    )


def test_an_office_elsewhere_counts_for_nothing_here() -> None:
    """TM-07: an RA of one company who merely belongs to another manages nothing there."""
    facts = replace(FACTS, members=FACTS.members | {(person("ra", WIND), LAKES)})
    answer = may(Actor(person("ra", WIND)), Action.GRANT_ACCESS, _grant(), facts)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.TIER


def _grant() -> Target:
    return Target(LAKES, person("holder", LAKES, 2), role=ENERGY)


def test_an_ra_grants_to_himself_and_it_is_marked() -> None:
    """AR-10."""
    oneself = Target(LAKES, person("ra"), role=ENERGY)
    assert may(actor_of("ra"), Action.GRANT_ACCESS, oneself, FACTS) == Allowed(on_oneself=True)
    assert may(actor_of("ra"), Action.GRANT_ACCESS, _grant(), FACTS) == Allowed()


def test_a_role_of_a_participation_not_held_is_not_granted() -> None:
    """TM-07, RG-13: the organization has energy, not capacity."""
    capacity = replace(_grant(), role=Role("Offer capacity", frozenset(("capacity",))))
    answer = may(actor_of("ra"), Action.GRANT_ACCESS, capacity, FACTS)
    assert answer == Refused(
        Reason.NOT_APPROVED,
        (
            WhoCan(Tier.APPREP, LAKES, (person("apprep"), person("apprep", LAKES, 2))),
            WhoCan(Tier.IESO, LAKES),
        ),
    )
    either = replace(_grant(), role=Role("Offer", frozenset(("capacity", "energy"))))
    assert may(actor_of("ra"), Action.GRANT_ACCESS, either, FACTS) == Allowed()


def test_machine_roles_are_for_machines() -> None:
    """AR-03, MA-04, in both directions."""
    machine_role = replace(ENERGY, kind=AccountKind.MACHINE)
    to_person = replace(_grant(), role=machine_role)
    to_machine = Target(LAKES, machine=MACHINE, role=ENERGY)
    for target in (to_person, to_machine):
        refused = may(actor_of("ra"), Action.GRANT_ACCESS, target, FACTS)
        assert refused == Refused(Reason.WRONG_KIND)
    right = replace(to_machine, role=machine_role)
    assert may(actor_of("ra"), Action.GRANT_ACCESS, right, FACTS) == Allowed()


@pytest.mark.parametrize(
    "action",
    [
        Action.GRANT_ACCESS,
        Action.REVOKE_ACCESS,
        Action.CHANGE_NETWORKS,
        Action.HAND_OVER_MACHINE,
        Action.STOP_MACHINE,
        Action.SEE_MACHINE,
    ],
)
def test_a_machine_of_another_organization_does_not_exist_here(action: Action) -> None:
    """MA-01: naming one's own organization beside it does not help."""
    foreign = Machine("APIIESO00043", WIND, person("holder", WIND))
    target = Target(LAKES, person("holder"), role=ENERGY, machine=foreign)
    if action in (Action.GRANT_ACCESS, Action.REVOKE_ACCESS):
        target = replace(target, person="")
    assert may(actor_of("ra"), action, target, FACTS) == Refused(Reason.NOT_YOURS)


def test_the_custodian_sees_his_machine_and_changes_nothing() -> None:
    """MA-10: custody is handed over by the RA."""
    custodian, target = Actor(MACHINE.custodian), Target(LAKES, "x", machine=MACHINE)
    assert may(custodian, Action.SEE_MACHINE, target, FACTS) == Allowed()
    for action in (Action.CHANGE_NETWORKS, Action.HAND_OVER_MACHINE, Action.STOP_MACHINE):
        answer = may(custodian, action, target, FACTS)
        assert isinstance(answer, Refused)
        assert answer.reason is Reason.TIER


@pytest.mark.parametrize("office", OFFICES)
def test_an_office_is_not_given_as_a_contact_role(office: Tier) -> None:
    """TM-01, CO-08: the four offices are in the list of contact roles."""
    target = Target(LAKES, "x", role=Role("An office", office=office))
    for action in (Action.ASSIGN_CONTACT_ROLE, Action.REMOVE_CONTACT_ROLE):
        answer = may(actor_of("apprep"), action, target, FACTS)
        assert isinstance(answer, Refused)
        assert answer.reason is Reason.IS_OFFICE
        assert answer.who_can


def test_the_policy_moves_what_the_manual_leaves_open() -> None:
    """Z-10, Z-22."""
    policy = Policy(
        appoint_apprep=frozenset((Tier.PC,)), apprep_grants_access=False, ra_keeps_contacts=True
    )
    facts = replace(FACTS, policy=policy)
    assert answer_of(actor_of("pc"), "appoint", "apprep", facts) == "yes"
    assert answer_of(actor_of("ra"), "appoint", "apprep", facts) == "tier"
    assert answer_of(actor_of("apprep"), "grant_access", "holder", facts) == "tier"
    assert answer_of(actor_of("ra"), "assign_contact_role", "holder", facts) == "yes"
    assert answer_of(actor_of("ra"), "keep_sections", "-", facts) == "yes"


def test_an_account_ends_only_when_nothing_needs_it() -> None:
    """PR-05, Z-18: not a custodian's, and not one that another organization needs."""
    target = target_of("end_account", "holder", actor_of("ra"))
    ask = actor_of("ra"), Action.END_ACCOUNT, target
    custody = replace(FACTS, machines=(MACHINE,))
    refused = may(*ask, custody)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.IS_CUSTODIAN
    assert refused.who_can[0].tier is Tier.RA
    elsewhere = replace(FACTS, members=FACTS.members | {(target.person, WIND)})
    assert may(*ask, elsewhere) == Refused(Reason.NEEDED_ELSEWHERE, (WhoCan(Tier.IESO, LAKES),))
    stranger = replace(target, person=person("holder", WIND))
    assert may(*ask[:2], stranger, FACTS) == Refused(Reason.NOT_YOURS)


def test_an_address_is_corrected_before_activation_only() -> None:
    """AC-08, Z-24: later the holder changes it; at two organizations nobody but the IESO."""
    target = target_of("correct_email", "holder", actor_of("ra"))
    ask = actor_of("ra"), Action.CORRECT_EMAIL, target
    holder, desk = WhoCan(Tier.HOLDER, LAKES, (target.person,)), WhoCan(Tier.IESO, LAKES)
    activated = replace(FACTS, activated=frozenset((target.person,)))
    assert may(*ask, activated) == Refused(Reason.ACTIVATED, (holder, desk))
    elsewhere = replace(FACTS, members=FACTS.members | {(target.person, WIND)})
    assert may(*ask, elsewhere) == Refused(Reason.NEEDED_ELSEWHERE, (desk,))
    assert may(Actor("ieso-1", True), *ask[1:], elsewhere) == Allowed()


def test_correcting_the_address_of_an_officer_needs_the_right_to_appoint_him() -> None:
    """TM-01: the activation mail makes its reader the officer, so both offices count."""
    since = NOW - timedelta(days=1)
    both = (Appointment("new", LAKES, Tier.PC, since), Appointment("new", LAKES, Tier.RA, since))
    facts = replace(FACTS, appointments=FACTS.appointments + both)
    target = Target(LAKES, "new")
    assert may(actor_of("pc"), Action.CORRECT_EMAIL, target, facts) == Allowed()
    answer = may(actor_of("ar"), Action.CORRECT_EMAIL, target, facts)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.TIER


def test_a_request_is_made_where_one_belongs() -> None:
    """A.01: otherwise a request would tell that an organization exists."""
    asked = Actor(person("holder"))
    there = Target(WIND, asked.person)
    assert may(asked, Action.REQUEST_ACCESS, there, FACTS) == Refused(Reason.NOT_YOURS)


def test_a_refusal_names_who_can() -> None:
    """TM-01: in words, with name and telephone."""
    facts = only(("ra", Tier.RA), ("pc", Tier.PC))
    answer = may(Actor("ra"), Action.APPOINT, Target(LAKES, "x", Tier.RA), facts)
    assert isinstance(answer, Refused)
    assert sentence(answer.reason) == "Your role does not include this."
    names = {"pc": "Marie Tremblay, +1 705 555 0142"}
    assert next_steps(answer, "Northern Lakes Generation", names) == (
        "Primary Contact of Northern Lakes Generation: Marie Tremblay, +1 705 555 0142",
    )


@pytest.mark.parametrize(
    ("held", "tier", "people", "vacant", "line"),
    [
        (
            [("pc", Tier.PC)],
            Tier.PC,
            ("pc",),
            Tier.RA,
            "Primary Contact of Lakes: P. The role of Rights Administrator is vacant and must be "
            "filled first.",
        ),
        (
            [("ar", Tier.AR)],
            Tier.AR,
            ("ar",),
            Tier.PC,
            "Authorized Representative of Lakes: A. The role of Primary Contact is vacant and must "
            "be filled first.",
        ),
        (
            [],
            Tier.IESO,
            (),
            Tier.AR,
            "IESO Customer Relations. The role of Authorized Representative is vacant and must be "
            "filled first.",
        ),
    ],
)
def test_where_nobody_can_the_vacancy_is_named(
    held: list[tuple[str, Tier]], tier: Tier, people: tuple[str, ...], vacant: Tier, line: str
) -> None:
    """TM-03, TM-05, TM-06: the tier above fills it; without one, the next above."""
    facts = replace(only(*held), policy=Policy(apprep_grants_access=False))
    answer = may(Actor("holder"), Action.GRANT_ACCESS, _grant(), facts)
    assert answer == Refused(Reason.TIER, (WhoCan(tier, LAKES, people, vacant),))
    assert next_steps(answer, "Lakes", {"pc": "P", "ar": "A"}) == (line,)


@pytest.mark.parametrize(
    ("office", "asked"), [(Tier.RA, Tier.PC), (Tier.PC, Tier.AR), (Tier.AR, Tier.IESO)]
)
def test_the_tier_above_is_asked_to_fill_a_vacancy(office: Tier, asked: Tier) -> None:
    """TM-03, TM-05, TM-06, NT-11."""
    facts = only(*[(tier.value, tier) for tier in OFFICES])
    target = Target(LAKES, office.value, office)
    assert leaves_vacant(target, facts)
    left = replace(
        facts, appointments=tuple(one for one in facts.appointments if one.office is not office)
    )
    assert [one.tier for one in who_fills(office, LAKES, left)] == [asked]
    assert not leaves_vacant(target, FACTS)


def test_lists_show_what_may_be_managed_and_nothing_else() -> None:
    """TM-07: other companies' people and machines are absent, in the order asked."""
    foreign = Machine("APIIESO00043", WIND, person("holder", WIND))
    here, there = Target(LAKES, machine=MACHINE), Target(WIND, machine=foreign)
    assert visible(actor_of("ra"), Action.SEE_MACHINE, (there, here), FACTS) == (here,)
    people = [Target(LAKES, person("holder", at)) for at in (WIND, LAKES)]
    assert visible(actor_of("ra"), Action.SEE_PERSON, people, FACTS) == (people[1],)


def test_the_menu_follows_the_office() -> None:
    """RG-11."""
    assert appointable(actor_of("ar"), LAKES, FACTS) == (Tier.AR, Tier.PC, Tier.APPREP)
    assert appointable(actor_of("pc"), LAKES, FACTS) == (Tier.PC, Tier.RA)
    assert appointable(actor_of("holder"), LAKES, FACTS) == ()
    of_ra = offered(actor_of("ra"), LAKES, FACTS)
    assert {Action.GRANT_ACCESS, Action.APPOINT, Action.REGISTER_MACHINE} <= of_ra
    assert not {Action.ASSIGN_CONTACT_ROLE, Action.DECIDE_PARTICIPATION} & of_ra
    assert Action.ASSIGN_CONTACT_ROLE in offered(actor_of("apprep"), LAKES, FACTS)
    assert not offered(actor_of("holder"), LAKES, FACTS)
    assert not offered(actor_of("ar", WIND), LAKES, FACTS) - {Action.REGISTER_ORGANIZATION}


@pytest.mark.parametrize("action", [a for a in Action if RULES[a].needs])
def test_an_incomplete_question_gets_no_answer(action: Action) -> None:
    """A caller that forgets the person or the role must not be told yes."""
    with pytest.raises(ValueError, match="the target has no"):
        may(actor_of("ra"), action, Target(LAKES), FACTS)
