"""Opening links: prefetch, parallel use, and where the secret may be seen."""

from __future__ import annotations

import io
import re
import threading

import pytest

from service_base import logs
from tests.security.test_links import KINDS, Kind, assert_refused, open_link, use
from tests.world import World, hidden_fields

PARALLEL = 16


@pytest.fixture(params=KINDS, ids=lambda kind: kind.purpose)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of link in turn."""
    found: Kind = request.param
    return found


def test_n68_one_of_sixteen_concurrent_uses_succeeds(world: World, kind: Kind) -> None:
    """N68: one success, and the password that counts is the winner's."""
    username = kind.owner(world)
    token = kind.issue(world, username)
    barrier = threading.Barrier(PARALLEL, timeout=60)
    statuses: dict[str, int] = {}

    def attempt(password: str) -> None:
        browser = world.browser()
        fields = hidden_fields(open_link(browser, kind, token).text, kind.page)
        sent = fields | {"password": password, "again": password}
        barrier.wait()
        answer = browser.client.post(kind.page, data=sent, base_url=browser.base)
        statuses[password] = answer.status_code

    passwords = [f"Quiet-Falcon{n:02}-harbour" for n in range(PARALLEL)]
    threads = [threading.Thread(target=attempt, args=(password,)) for password in passwords]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [password for password, status in statuses.items() if status != 400]
    assert len(statuses) == PARALLEL
    assert len(winners) == 1, statuses
    assert statuses[winners[0]] in (200, 303)
    assert len(world.events("link.spent")) == 1
    assert [e.data["source"] for e in world.events("password.set")][-1] != "test"
    works = []
    for password in passwords:
        world.clock.advance(minutes=2)  # so that the wrong ones lock nobody
        if world.browser().sign_in(username, password).status_code == 200:
            works.append(password)
    assert works == winners


@pytest.mark.parametrize("method", ["HEAD", "GET", "OPTIONS"])
def test_n69_a_prefetch_consumes_nothing(world: World, kind: Kind, method: str) -> None:
    """N69: mail scanners open links, some of them many times."""
    token = kind.issue(world, kind.owner(world))
    for _ in range(3):
        scanner = world.browser()
        scanner.client.open(
            f"{kind.page}?token={token}", method=method, base_url=scanner.base
        ).close()
        page = scanner.client.open(kind.page, method=method, base_url=scanner.base)
        assert page.status_code == 200
    assert use(world.browser(), kind, token).status_code == 200


def test_n69_an_empty_form_consumes_nothing(world: World, kind: Kind) -> None:
    """N69: scanners send forms as they find them."""
    token = kind.issue(world, kind.owner(world))
    scanner = world.browser()
    answer = scanner.submit(open_link(scanner, kind, token), kind.page)
    assert answer.status_code == 400
    assert world.events("link.refused") == []
    assert use(world.browser(), kind, token).status_code == 200


def test_n69_the_secret_is_removed_from_the_address_at_once(world: World, kind: Kind) -> None:
    """N69: 303 to a clean address; no page shows the secret, no Referer can carry it."""
    token = kind.issue(world, kind.owner(world))
    browser = world.browser()
    first = browser.client.get(f"{kind.page}?token={token}", base_url=browser.base)
    assert (first.status_code, first.headers["Location"]) == (303, kind.page)
    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert first.headers["Cache-Control"] == "no-store"
    assert token not in first.text
    page = browser.get(kind.page)
    assert page.status_code == 200
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert token not in page.text


def test_n69_the_page_loads_nothing_from_other_hosts(world: World, kind: Kind) -> None:
    """N69: whatever a browser loads for the page comes from here."""
    page = open_link(world.browser(), kind, kind.issue(world, kind.owner(world)))
    loading = re.findall(
        r"<(?:script|img|iframe|form|source|video|audio|embed|object|link)\b[^>]*>", page.text
    )
    addresses = [
        address
        for tag in loading
        for address in re.findall(r'\b(?:src|href|action|data|srcset)="([^"]*)"', tag)
    ]
    assert addresses
    assert all(re.match(r"/(?!/)", address) for address in addresses), addresses


def test_n69_the_secret_is_in_no_log_line(world: World, kind: Kind) -> None:
    """N69: the path is logged, the query is not; also when the link is refused."""
    logs.configure(world.settings.log_level, stream := io.StringIO())
    token = kind.issue(world, kind.owner(world))
    use(world.browser(), kind, token)
    assert_refused(world, kind, open_link(world.browser(), kind, token), "used")
    assert f'"path": "{kind.page}"' in stream.getvalue()
    assert token not in stream.getvalue()
    assert "token=" not in stream.getvalue()
