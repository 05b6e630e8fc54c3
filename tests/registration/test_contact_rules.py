"""The rules of contact roles over a batch as a whole, by person, by role and by section."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration.contact_rules import (
    Batch,
    Breach,
    Contact,
    ContactKind,
    ContactRule,
    Fault,
    Holding,
    below_minimum,
    breaches,
    by_role,
    for_contact,
)

BOTH = frozenset(ContactKind)
SUBMITTER, VIEWER = "Dispatch Data Submitter", "Dispatch Data Viewer"
RULES = {
    rule.name: rule
    for rule in (
        ContactRule(SUBMITTER, minimum=1, excludes=frozenset((VIEWER,))),
        ContactRule(VIEWER),
        ContactRule("Settlements", minimum=1, maximum=2),
        ContactRule("Control Room", kinds=frozenset((ContactKind.SECTION,))),
        ContactRule("E-Tag", kinds=BOTH, minimum=1, maximum=1),
    )
}
ANNA, BOB, CARL = (Contact(ContactKind.PERSON, one) for one in ("100", "200", "300"))
DESK = Contact(ContactKind.SECTION, "7")


def held(*pairs: tuple[str, Contact]) -> frozenset[Holding]:
    return frozenset(Holding(role, contact) for role, contact in pairs)


def faults(has: frozenset[Holding], add: frozenset[Holding], remove: frozenset[Holding]) -> list:
    return [one.fault for one in breaches(RULES, has, Batch(add, remove))]


NONE = held()


def test_the_last_of_a_required_role_stays() -> None:
    """CO-04: with the number and the minimum."""
    has = held((SUBMITTER, ANNA))
    assert breaches(RULES, has, Batch(removed=has)) == (
        Breach(Fault.BELOW_MINIMUM, SUBMITTER, count=0, limit=1),
    )


def test_one_contact_replaces_another_in_one_batch() -> None:
    """CO-04: the result counts, in a role of exactly one too."""
    assert faults(held(("E-Tag", ANNA)), held(("E-Tag", DESK)), held(("E-Tag", ANNA))) == []


def test_no_more_than_the_maximum() -> None:
    """CO-04."""
    has = held(("Settlements", ANNA))
    assert faults(has, held(("Settlements", BOB)), NONE) == []
    assert breaches(RULES, has, Batch(held(("Settlements", BOB), ("Settlements", CARL)))) == (
        Breach(Fault.ABOVE_MAXIMUM, "Settlements", count=3, limit=2),
    )


def test_what_was_wrong_before_is_not_the_fault_of_the_batch() -> None:
    """CO-04: a role over its maximum can be reduced step by step; one below its minimum, filled."""
    four = held(*(("Settlements", Contact(ContactKind.PERSON, str(n))) for n in range(4)))
    assert faults(four, NONE, held(("Settlements", Contact(ContactKind.PERSON, "0")))) == []
    assert faults(NONE, held((VIEWER, ANNA)), NONE) == []


@pytest.mark.parametrize(("first", "second"), [(SUBMITTER, VIEWER), (VIEWER, SUBMITTER)])
def test_an_exclusive_pair_is_refused_in_both_directions(first: str, second: str) -> None:
    """CO-05: with the names of both roles, although only one of them names the other."""
    has = held((SUBMITTER, BOB), (first, ANNA))
    assert breaches(RULES, has, Batch(held((second, ANNA)))) == (
        Breach(Fault.EXCLUDED, second, ANNA, first),
    )


def test_an_exclusive_pair_within_one_batch() -> None:
    """CO-05: reported once; for two people there is no conflict."""
    both = held((SUBMITTER, ANNA), (VIEWER, ANNA))
    assert faults(NONE, both, NONE) == [Fault.EXCLUDED]
    assert faults(NONE, held((SUBMITTER, ANNA), (VIEWER, BOB)), NONE) == []


def test_a_role_is_exchanged_for_the_one_it_excludes() -> None:
    """CO-05: the pair is checked after the removal of the same batch."""
    has = held((SUBMITTER, ANNA), (SUBMITTER, BOB))
    assert faults(has, held((VIEWER, ANNA)), held((SUBMITTER, ANNA))) == []


def test_a_role_is_held_by_the_kind_it_is_for() -> None:
    """CO-03."""
    assert faults(NONE, held(("Control Room", ANNA)), NONE) == [Fault.WRONG_KIND]
    assert faults(NONE, held((VIEWER, DESK)), NONE) == [Fault.WRONG_KIND]
    assert faults(NONE, held(("Control Room", DESK), ("E-Tag", DESK)), NONE) == []


def test_a_batch_that_does_not_match_what_is_held() -> None:
    """CO-01: another page changed it meanwhile, or the batch contradicts itself."""
    has = held((VIEWER, ANNA))
    assert faults(has, has, NONE) == [Fault.ALREADY_HELD]
    assert faults(has, NONE, held((VIEWER, BOB))) == [Fault.NOT_HELD]
    assert Fault.BOTH_WAYS in faults(has, has, has)


def test_a_role_that_is_not_offered_has_no_answer() -> None:
    with pytest.raises(KeyError):
        breaches(RULES, NONE, Batch(held(("Other", ANNA))))


def test_the_three_ways_show_the_same() -> None:
    """CO-01 to CO-04: by person, by section, by role; with existing number and what is missing."""
    has = held((SUBMITTER, ANNA), ("Control Room", DESK), ("E-Tag", DESK))
    person = {one.rule.name: one.is_held for one in for_contact(RULES, has, ANNA)}
    assert person == {SUBMITTER: True, VIEWER: False, "E-Tag": False, "Settlements": False}
    section = {one.rule.name: one.is_held for one in for_contact(RULES, has, DESK)}
    assert section == {"Control Room": True, "E-Tag": True}
    roles = {line.rule.name: (line.existing, contacts) for line, contacts in by_role(RULES, has)}
    assert roles[SUBMITTER] == (1, (ANNA,))
    assert roles["Settlements"] == (0, ())
    assert [one.rule.name for one in below_minimum(RULES, has)] == ["Settlements"]


HOLDINGS = st.frozensets(
    st.builds(Holding, st.sampled_from(sorted(RULES)), st.sampled_from((ANNA, BOB, CARL, DESK)))
)


@given(HOLDINGS, HOLDINGS)
def test_from_a_right_state_an_accepted_batch_leads_to_a_right_state(
    add: frozenset[Holding], remove: frozenset[Holding]
) -> None:
    """CO-03 to CO-05: judged by an independent reading of the rules."""
    has = held((SUBMITTER, BOB), ("Settlements", BOB), ("E-Tag", DESK))
    if breaches(RULES, has, Batch(add, remove)):
        return
    after = (has - remove) | add
    for name, rule in RULES.items():
        number = sum(one.role == name for one in after)
        assert rule.minimum <= number <= (rule.maximum or 99)
    assert all(one.contact.kind in RULES[one.role].kinds for one in after)
    assert not any({Holding(SUBMITTER, c), Holding(VIEWER, c)} <= after for c in (ANNA, BOB, CARL))
