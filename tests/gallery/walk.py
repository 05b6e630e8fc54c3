"""Every page of the gateway, in every state that somebody can meet: for screenshots and for axe.

Where a page is added, a function of the fitting module yields a ``View`` of it. The pages of the
console without arguments are found by the table of its routes. ``unvisited`` names what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flask import Flask

import idp
from tests.gallery import console_views, recovery_views, settings_views, signin_views
from tests.gallery.studio import ENDPOINT, TEMPLATE, View, open_studio

MODULES = (signin_views, recovery_views, settings_views, console_views)
#: Addresses that answer programs, and those that only redirect.
NO_PAGES = frozenset(
    {
        "static",
        "studio",
        "forward.verify",
        "hosted.brand_colours",
        "hosted.brand_logo",
        "oidc.authorize_posted",
        "oidc.check_session",
        "oidc.event_stream_status",
        "oidc.event_streams",
        "oidc.keys",
        "oidc.logout_posted",
        "oidc.oauth_metadata",
        "oidc.registration",
        "oidc.scim_metadata",
        "oidc.shared_signals_metadata",
        "oidc.ssf_configuration",
        "oidc.openid_configuration",
        "oidc.userinfo",
        "oidc.userinfo_metadata",
        "pages.change_password",
        "pages.client_logo",
        "pages.healthz",
        "pages.passkey_endpoints",
        "pages.readyz",
    }
)
#: Interfaces of programs, and downloads.
OTHERS = ("scim.", "console.export_")
#: Templates that others extend.
FRAMES = frozenset({"base.html", "console/frame.html", "settings/frame.html"})


class Walker:
    """One walk through everything, in a language; each part has a gateway of its own."""

    def __init__(self, folder: Path, language: str, only: tuple[str, ...] = ()) -> None:
        self._folder, self._language = folder, language
        #: Areas (the first part of a name) that are looked at; empty: all.
        self._areas = {page.partition("/")[0] for page in only}
        self.names: set[str] = set()
        self._pages: set[str] = set()
        self._shown: set[str] = set()

    def views(self) -> Iterator[View]:
        """All views, one after the other; each has a name of its own."""
        for number, module in enumerate(MODULES):
            if self._areas and not self._areas & module.AREAS:
                continue
            with open_studio(self._folder / str(number), self._language) as studio:
                self._pages = _pages_of(studio.world.app)
                for view in module.views(studio):
                    if view.name in self.names or view.name.partition("/")[0] not in module.AREAS:
                        raise ValueError(f"a second view, or one of no area: {view.name}")
                    self.names.add(view.name)
                    self._shown |= {view.answer.headers[TEMPLATE], view.answer.headers[ENDPOINT]}
                    yield view

    def unvisited(self) -> list[str]:
        """The pages (by endpoint) and the templates that no view showed."""
        return sorted((self._pages | _templates()) - self._shown)


def _pages_of(app: Flask) -> set[str]:
    """The endpoints of the addresses that show pages."""
    return {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.endpoint.startswith(OTHERS)
    } - NO_PAGES


def _templates() -> set[str]:
    """The templates of whole pages."""
    folder = Path(idp.__file__).parent / "templates"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}
    return {name for name in names if not name.rpartition("/")[2].startswith("_")} - FRAMES
