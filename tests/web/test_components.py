"""The component page, the navigation of the console, and the frame around every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import hosted_pages
from hosted_pages.brand import monogram
from idp.policy.console import ConsoleRole
from idp.settings import Settings
from idp.web.console.gate import ROUTES
from idp.web.console.navigation import PLACES as PLACES_OF
from tests.conftest import _world
from tests.console.desk import Desk
from tests.world import World


@pytest.fixture
def demo(settings: Settings) -> Iterator[World]:
    """A gateway with the pages of the demo."""
    yield from _world(replace(settings, demo=True))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_component_page_exists_in_the_demo_only(
    demo: World, world: World, language: str
) -> None:
    """Each component, in both languages; nowhere else than in the demo."""
    headers = {"Accept-Language": language}
    page = demo.app.test_client().get(
        "/demo/components", base_url=demo.settings.issuer, headers=headers
    )
    assert page.status_code == 200
    assert f'<html lang="{language}">' in page.text
    for part in ("c-buttons", "c-fields", "c-notices", "c-badges", "c-cards", "c-navigation",
                 "c-tables", "c-chart", "confirm-heading"):  # fmt: skip
        assert f'id="{part}"' in page.text
    assert (
        world.app.test_client().get("/demo/components", base_url=world.settings.issuer).status_code
        == 404
    )


def test_the_environment_is_named_inside_the_header(world: World) -> None:
    """A landmark holds it, so that a screen reader finds it (axe: region)."""
    text = world.browser().get("/signin").text
    header = text[text.index("<header") : text.index("</header>")]
    assert f'class="environment {world.settings.environment}"' in header


PLACES = {
    ConsoleRole.AGENT: ["Home"],
    ConsoleRole.ACCESS: [
        "Home", "Applications", "Role groups", "Participants", "Messages", "Keys", "Settings",
    ],
    ConsoleRole.AUDITOR: ["Home", "Audit log", "Access report"],
}  # fmt: skip


@pytest.mark.parametrize("role", list(ConsoleRole))
def test_the_navigation_shows_the_sections_of_the_role(world: World, role: ConsoleRole) -> None:
    """N72: the places of the role and no other; the current one is marked."""
    page = Desk.of(world, role).browser.get("/console").text
    side = page[page.index('<nav class="side"') :]
    side = side[: side.index("</nav>")]
    narrow, side = side.split('<div class="wide-only">')
    assert re.search("<summary>Menu: Home</summary>", narrow)
    links = re.compile("<a .*?</a>")
    assert links.findall(narrow) == links.findall(side)
    shown = re.findall(r"</svg>([^<]+)</a>", side)
    assert set(PLACES[role]) <= set(shown)
    assert re.findall(r'aria-current="page"[^>]*>.*?</svg>([^<]+)<', side) == ["Home"]


def test_a_page_marks_its_section_and_links_back(world: World) -> None:
    """The account page belongs to a place; the path above it leads up."""
    desk = Desk.of(world, ConsoleRole.ACCESS)
    page = desk.browser.get("/console/clients/new").text
    assert re.search(r'aria-current="true">.*?</svg>Applications<', page)
    crumbs = page[page.index('<nav class="crumbs"') :]
    assert re.findall(r">([^<]+)</a>", crumbs[: crumbs.index("</nav>")]) == [
        "Console", "Applications",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Energy Market Interface", "EM"), ("CROW", "CR"), ("CROW – Outage Management", "CR"),
     ("Reports", "RE"), ("IESO Workspaces", "IW")],
)  # fmt: skip
def test_an_application_without_a_logo_has_initials(name: str, letters: str) -> None:
    """GW-05: two letters where an application has no picture."""
    assert monogram(name) == letters


def test_every_page_of_the_console_is_in_a_place() -> None:
    """N72: a page that answers a form is in the navigation where its form is."""
    marked = {name for place in PLACES_OF for name in (place.endpoint, *place.inside)}
    downloads = {name for name in ROUTES if name.startswith("console.export_")}
    redirecting = {"console.retry_message", "console.enable_client"}
    assert set(ROUTES) - marked == downloads | redirecting


def test_filled_buttons_keep_their_colours_where_colours_are_forced() -> None:
    """Chromium paints a plate behind text in forced colours, which would cover it: white on white.
    The tokens are system colours there."""
    style = (Path(hosted_pages.__file__).parent / "static" / "style.css").read_text()
    forced = "".join(re.findall(r"@media \(forced-colors: active\) \{(.*)\}", style))
    filled = "button:not(.second, .plain), .button:not(.second, .plain)"
    assert f"{filled} {{ forced-color-adjust: none; }}" in forced
