"""A client's secret from rotation to its end, and a client that is switched on again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from idp.clients import registry
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.shell import Run, good
from tests.world import Rp, World

HOUR = 3600


def status(world: World, rp: Rp, secret: str) -> int:
    """Of a request that is authenticated by this secret."""
    sent = Rp(rp.client_id, secret, rp.redirect_uri, rp.auth_method, world.clock)
    return world.introspect_status(sent, "no-token")


def rotate(desk: Desk, hours: str) -> str:
    """A new secret, by the console."""
    page = desk.post("/console/clients/emi/secret", overlap_hours=hours).text
    return re.findall(r"Client secret: <code>([^<]+)</code>", page)[0]


@pytest.mark.parametrize(
    "method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"]
)
def test_n18_an_old_secret_works_for_the_chosen_number_of_hours(world: World, method: str) -> None:
    """N18: both until then, the new one alone afterwards; the page and the trail say until when."""
    rp = world.relying_party(auth_method=method)
    desk = Desk.of(world, ConsoleRole.ACCESS)
    fresh = rotate(desk, "6")
    assert (status(world, rp, rp.secret), status(world, rp, fresh)) == (200, 200)
    assert "The previous secret works until" in desk.browser.get("/console/clients/emi").text
    until = world.clock.now() + timedelta(hours=6)
    assert world.events("client.secret_rotated")[-1].data == {"old_secret_until": until.isoformat()}
    world.clock.advance(seconds=6 * HOUR)
    assert (status(world, rp, rp.secret), status(world, rp, fresh)) == (401, 200)
    desk = Desk.of(world, ConsoleRole.ACCESS)
    assert "The previous secret works until" not in desk.browser.get("/console/clients/emi").text


def test_n18_an_old_secret_is_ended_at_once(world: World) -> None:
    """N18: by its button; a second time changes nothing."""
    rp = world.relying_party()
    desk = Desk.of(world, ConsoleRole.ACCESS)
    fresh = rotate(desk, "24")
    for _ in range(2):
        assert desk.post("/console/clients/emi/end-old-secret").status_code == 303
        assert (status(world, rp, rp.secret), status(world, rp, fresh)) == (401, 200)
    (ended,) = world.events("client.old_secret_ended")
    assert ended.actor == desk.username


def test_n18_without_an_overlap_the_old_secret_ends_at_once(world: World) -> None:
    """N18: an overlap of 0 hours. Tests of the console hold what is refused."""
    rp = world.relying_party()
    fresh = rotate(Desk.of(world, ConsoleRole.ACCESS), "0")
    assert (status(world, rp, rp.secret), status(world, rp, fresh)) == (401, 200)


def test_n18_of_three_secrets_the_first_has_ended(world: World) -> None:
    """N18: one old secret at most; a client that gets keys has none at all."""
    rp = world.relying_party()
    desk = Desk.of(world, ConsoleRole.ACCESS)
    second = rotate(desk, "24")
    third = rotate(desk, "24")
    assert [status(world, rp, s) for s in (rp.secret, second, third)] == [401, 200, 200]
    assert desk.post("/console/clients/emi/secret", overlap_hours="721").status_code == 400
    assert [status(world, rp, s) for s in (second, third)] == [200, 200]


def test_n18_the_command_line_changes_secrets_in_the_same_way(world: World, run: Run) -> None:
    """N18: a day by default, told with the command that ends it; in text and in JSON."""
    rp = world.relying_party()
    text = run("client", "rotate-secret", "emi")
    assert text.exit_code == 0
    assert "To end it now: gateway client end-old-secret emi" in text.stdout
    shown = good(run("client", "show", "emi", "--json"))["old_secret_until"]
    left = datetime.fromisoformat(shown) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert "old_secret_until" in run("client", "show", "emi").stdout
    assert status(world, rp, rp.secret) == 200
    assert run("client", "end-old-secret", "emi").stdout == "emi: the previous secret has ended.\n"
    assert good(run("client", "end-old-secret", "emi", "--json"))["ended"] is False
    assert status(world, rp, rp.secret) == 401
    none = good(run("client", "rotate-secret", "emi", "--overlap-hours", "0", "--json"))
    assert none["old_secret_until"] is None
    assert run("client", "rotate-secret", "emi", "--overlap-hours", "721").exit_code == 2


def test_n18_a_disabled_client_is_enabled_again(world: World, run: Run) -> None:
    """N18: with its secret; the tokens from before stay dead. By console and shell."""
    rp, username = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, username)
    desk = Desk.of(world, ConsoleRole.ACCESS)
    assert desk.post("/console/clients/emi/disable").status_code == 303
    assert status(world, rp, rp.secret) == 401
    page = desk.browser.get("/console/clients/emi").text
    assert "/console/clients/emi/enable" in page
    assert desk.post("/console/clients/emi/enable").status_code == 303
    assert world.events("client.enabled")[-1].actor == desk.username
    assert world.introspect(rp, tokens["access_token"]) == {"active": False}
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 400
    assert world.signed_in_tokens(rp, username)["access_token"]
    assert run("client", "disable", "emi").exit_code == 0
    assert run("client", "enable", "emi").stdout == "emi is enabled.\n"
    assert good(run("client", "enable", "emi", "--json"))["disabled"] is False
    with world.work() as work:
        assert registry.get(work, "emi").disabled_at is None
    assert len(world.events("client.enabled")) == 2
