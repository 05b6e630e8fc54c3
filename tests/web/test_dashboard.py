"""The applications of a person, in their language (GW-05, GW-10)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from idp.clients import registry
from idp.clients.client_data import ClientData, current_data
from idp.clients.client_refusals import RegistrationInvalid
from idp.directory import role_groups
from idp.directory.directory_refusals import RoleGroupFrenchNameInvalid
from tests.world import Browser, World

TILE = re.compile(
    r'<a href="([^"]+)"><(?:span|img) class="monogram".*?<strong>([^<]+)</strong>(.*?)</a>'
)


def tiles(browser: Browser, query: str = "") -> list[tuple[str, list[str]]]:
    """Name and lines of every tile on the page."""
    page = browser.get("/", q=query) if query else browser.get("/")
    found = TILE.findall(page.text)
    return [(name, re.findall(r'class="text">([^<]+)<', rest)) for _, name, rest in found]


def person(world: World, *apps: str) -> Browser:
    """Somebody with these applications."""
    username = world.account()
    for name in apps:
        world.relying_party(name, description=f"About {name}")
        world.role_group(f"{name} User", name.lower())
        world.grant_role(username, f"{name} User")
    return world.browser().signed_in(username)


def test_a_tile_names_the_participants_that_it_is_for(world: World) -> None:
    """GW-05: under each application, from the role groups in force."""
    world.participant("109120", "Lakes Generation")
    world.participant("111340", "Grand Bend Wind")
    username = world.account()
    for name in ("EMI", "CROW"):
        world.relying_party(name, description=f"About {name}")
        world.role_group(f"{name} User", name.lower())
        world.grant_role(username, f"{name} User", "109120")
    world.grant_role(username, "EMI User", "111340")
    assert tiles(world.browser().signed_in(username)) == [
        ("CROW", ["About CROW", "Lakes Generation"]),
        ("EMI", ["About EMI", "Grand Bend Wind, Lakes Generation"]),
    ]


def test_more_than_eight_applications_can_be_searched(world: World) -> None:
    """GW-05: a field without JavaScript; nothing found says so and leads back."""
    names = ["Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India"]
    browser = person(world, *names)
    page = browser.get("/").text
    assert 'role="search"' in page
    assert [name for name, _ in tiles(browser)] == names
    assert [name for name, _ in tiles(browser, "about ÉCHO")] == ["Echo"]
    none = browser.get("/", q="zulu <b>").text
    assert "No application matches “zulu &lt;b&gt;”." in none
    assert "Show all" in none


def test_few_applications_have_no_search(world: World) -> None:
    """GW-05."""
    assert 'role="search"' not in person(world, "EMI", "CROW").get("/").text


def test_names_are_french_on_french_pages_only(world: World) -> None:
    """GW-10: application and role group; what has no French text keeps its own, and claims keep
    the name of the role group."""
    browser = person(world, "Reports", "CROW")
    with world.work() as work:
        client = registry.get(work, "reports")
        texts = {"name_fr": "Rapports", "description_fr": "De règlement"}
        registry.update(work, client, replace(current_data(client), **texts))
        group = role_groups.by_name(work, "Reports User")
        role_groups.describe(work, group, name_fr="Lecture des rapports")
    assert [name for name, _ in tiles(browser)] == ["CROW", "Reports"]
    assert "Reports User" in browser.get("/settings").text
    page = browser.get("/settings/preferences")
    browser.submit(page, "/settings/preferences", locale="fr", zoneinfo="America/Toronto")
    found = dict(tiles(browser))
    assert list(found) == ["CROW", "Rapports"]
    assert found["Rapports"][0] == "De règlement"
    assert found["CROW"][0] == "About CROW"
    assert "Lecture des rapports" in browser.get("/settings").text


@pytest.mark.parametrize("name", ["x" * 201, "a\x07b"])
def test_a_french_name_that_cannot_be_shown_is_refused(world: World, name: str) -> None:
    """N82: as for the other names."""
    with world.work() as work:
        with pytest.raises(RegistrationInvalid, match="the French name is at most 200 printable"):
            registry.create(
                work,
                ClientData(name="EMI", name_fr=name, redirect_uris=("https://emi.rp.test/cb",)),
            )
        group = role_groups.create(work, "EMI User")
        with pytest.raises(RoleGroupFrenchNameInvalid):
            role_groups.describe(work, group, name_fr=name)
