"""The applications that the account may use (GW-05)."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, render_template, request

from idp import current
from idp.directory import held_role_groups
from idp.models import Account, AccountKind, BrowserSession
from idp.policy.search_terms import fold
from idp.web import client_logos, i18n
from idp.web.guard import needs_session
from idp.web.profile import factor_pages

#: With more tiles than these, the page has a search field.
MANY = 8
MAX_SEARCH = 100


@dataclass(frozen=True)
class Tile:
    """An application on the page."""

    name: str
    description: str
    url: str
    participants: tuple[str, ...]
    #: The URL of its logo; empty if it has none.
    logo: str

    def is_found(self, words: list[str]) -> bool:
        """Whether the text of the tile contains every word."""
        text = fold(" ".join((self.name, self.description, *self.participants)))
        return all(word in text for word in words)


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/", "dashboard", dashboard)


@needs_session
def dashboard(session: BrowserSession) -> Response:
    """One tile for each relying party for which the account holds a role group."""
    is_machine = session.account.kind == AccountKind.MACHINE
    tiles = [] if is_machine else _tiles(session.account)
    query = request.args.get("q", "")[:MAX_SEARCH]
    words = fold(query).split()
    body = render_template(
        "dashboard.html",
        tiles=[tile for tile in tiles if tile.is_found(words)],
        has_tiles=bool(tiles),
        has_search=len(tiles) > MANY,
        query=query,
        is_machine=is_machine,
        passkey_options=factor_pages.offer_automatic_passkey(session),
    )
    return Response(body)


def _tiles(account: Account) -> list[Tile]:
    work = current.work()
    participants = held_role_groups.participants_of(work, account)
    tiles = [
        Tile(
            i18n.name_of(client),
            i18n.description_of(client),
            client.home_url,
            tuple(participants.get(client.id, ())),
            client_logos.url_of(client),
        )
        for client in held_role_groups.list_applications(work, account)
    ]
    return sorted(tiles, key=lambda tile: fold(tile.name))
