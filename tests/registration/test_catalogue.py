"""The catalogue of the package, and the faults that its loader finds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import idp
from registration.catalogue import CatalogueInvalid, packaged, read, text_of
from registration.delegation_facts import OFFICES

MARKET = "markets: {energy: {kind: market, name: Energy, name_fr: Énergie}}\n"
CONTACT = (
    "contact_roles: {{desk: {{name: Desk, name_fr: Bureau, description: A, description_fr: B, "
    "{more}}}}}\n"
)
ACCESS = "access_roles: {{{market}: {{bid: {{name: Bid, name_fr: Miser, {more}}}}}}}\n"
RIGHT = MARKET + CONTACT.format(more="") + ACCESS.format(market="energy", more="role_groups: [X]")

#: The contact roles that the manual names (CO-08); those below the line were guessed.
NAMED = {
    "Authorized Representative", "Primary Contact", "Rights Administrator",
    "Applicant Representative", "18 Month and Long-Term Assessments", "Bids and Offers",
    "Control Room Section", "Dispatch Data Submitter", "Dispatch Data Viewer",
    "Energy Limited Resource Forecast", "E-Tag Curtailment", "Meter Trouble Report",
    "MSP Revenue Metering", "Notice of Disagreement", "Revenue Metering", "Settlements",
}  # fmt: skip


def test_every_contact_role_of_the_manual_is_there_and_guesses_are_marked() -> None:
    """CO-08."""
    roles = packaged().contact_roles.values()
    assert {role.name for role in roles if not role.guessed} == NAMED
    assert sum(role.guessed for role in roles) == 6
    assert {role.office for role in roles if role.office} == set(OFFICES)


def test_the_limits_that_the_manual_shows() -> None:
    """CO-04, CO-05, CO-07: Dispatch Data Submitter: at least one, no maximum, persons only."""
    roles = packaged().contact_roles
    submitter = roles["dispatch-data-submitter"]
    assert (submitter.minimum, submitter.maximum, submitter.held_by) == (1, None, "person")
    assert submitter.exclusive_with == ("dispatch-data-viewer",)
    assert roles["bids-and-offers"].held_by == "section"
    assert roles["settlements"].role_groups == ()


def test_forty_access_roles_under_the_headings_of_markets() -> None:
    """AR-03, AR-12: for persons and for machines; the examples of the manual are among them."""
    catalogue = packaged()
    assert len(catalogue.access_roles) == 40
    assert {role.market for role in catalogue.access_roles.values()} == set(catalogue.markets)
    kinds = [role.kind for role in catalogue.access_roles.values()]
    assert (kinds.count("person"), kinds.count("machine")) == (31, 9)
    groups = {
        group
        for market in ("financial", "energy", "revenue-metering")
        for role in catalogue.access_roles.values()
        if role.market == market
        for group in role.role_groups
    }
    assert {
        "TRA Bids", "Reports Financial Market", "Settlement Forms", "Notice of Disagreement",
        "Reports Settlement", "Meter Trouble Reports", "Reports Revenue Metering",
    } <= groups  # fmt: skip


def test_each_role_means_role_groups_of_the_gateway_of_its_kind() -> None:
    """MA-04, AR-03: a machine role opens programs only, a person's role never one of those."""
    path = Path(idp.__file__).parent / "data" / "ieso.yaml"
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["role_groups"]
    catalogue = packaged()
    for access in catalogue.access_roles.values():
        for group in access.role_groups:
            assert (
                groups[group].get("kind", "personal")
                == {
                    "person": "personal",
                    "machine": "machine",
                }[access.kind]
            ), (access.code, group)
    for contact in catalogue.contact_roles.values():
        assert all("kind" not in groups[group] for group in contact.role_groups)


def test_a_right_file_is_read() -> None:
    catalogue = read(RIGHT)
    assert catalogue.access_roles["bid"].role.participations == {"energy"}
    assert catalogue.contact_roles["desk"].rule.maximum is None
    assert read(text_of("catalogue")) == packaged()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "the file is not a mapping"),
        (RIGHT + "more: {}\n", "unknown sections: more"),
        (RIGHT.replace("kind: market", "kind: bazaar"), "energy: no kind bazaar"),
        (RIGHT.replace("name: Energy, ", ""), "markets.energy: name is missing"),
        (RIGHT.replace("name: Energy, ", "name: ' ', "), "markets.energy: name cannot be ' '"),
        (RIGHT.replace("[X]", "[X], size: 1"), "access_roles.energy.bid: unknown field size"),
        (RIGHT.replace("[X]", "[]"), "bid opens nothing"),
        (RIGHT.replace("[X]", "[X, X]"), "cannot be ['X', 'X']"),
        (RIGHT.replace("[X]", "[X], kind: robot"), "bid: no kind robot"),
        (RIGHT.replace("{energy: {bid", "{wood: {bid"), "bid: no market wood"),
        (
            MARKET + CONTACT.format(more="minimum: '1'") + "access_roles: {}\n",
            "minimum cannot be '1'",
        ),
        (
            MARKET + CONTACT.format(more="minimum: true") + "access_roles: {}\n",
            "minimum cannot be True",
        ),
        (
            MARKET + CONTACT.format(more="minimum: 2, maximum: 1") + "access_roles: {}\n",
            "desk: the maximum is below the minimum",
        ),
        (
            MARKET + CONTACT.format(more="held_by: cat") + "access_roles: {}\n",
            "desk: nobody is cat",
        ),
        (
            MARKET + CONTACT.format(more="office: king") + "access_roles: {}\n",
            "desk: no office king",
        ),
        (
            MARKET + CONTACT.format(more="markets: [wood]") + "access_roles: {}\n",
            "desk: no market wood",
        ),
        (
            MARKET + CONTACT.format(more="exclusive_with: [other]") + "access_roles: {}\n",
            "desk excludes other, which does not exclude it",
        ),
    ],
)
def test_a_fault_is_named(text: str, fault: str) -> None:
    with pytest.raises(CatalogueInvalid) as refused:
        read(text)
    assert any(fault in one for one in refused.value.faults), refused.value.faults
