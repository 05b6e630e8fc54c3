"""What nobody in particular sends is counted and sampled; the trail does not grow with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from idp.audit import events
from idp.models import AuthMethod
from idp.policy.addresses import network_of
from idp.sampling import MOST, OTHERS, WINDOW, Kind, Sampler
from tests.world import AUTHORIZE, TOKEN, World

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KIND = Kind(name="link.refused", reason="link_unknown", network="192.0.2.7")


def test_powers_of_ten_are_recorded() -> None:
    """I7: the first, then the 10th, the 100th and the 1000th of a network."""
    sampler = Sampler()
    assert [n for _ in range(2400) if (n := sampler.count(NOW, KIND))] == [1, 10, 100, 1000]


def test_the_first_events_are_recorded_one_by_one_if_required() -> None:
    """N50: up to the bound of the alarm."""
    sampler = Sampler()
    assert [n for _ in range(120) if (n := sampler.count(NOW, KIND, each=4))] == [
        1,
        2,
        3,
        4,
        10,
        100,
    ]


def test_records_of_a_window_are_bounded_whatever_the_number_of_networks() -> None:
    """I7: after so many records a kind's other networks count together."""
    sampler = Sampler()
    networks = [f"2001:db8:{number:x}::/64" for number in range(3000)]
    kinds = [Kind(name="link.refused", reason="unknown", network=network) for network in networks]
    written = [n for kind in kinds for _ in range(10) if (n := sampler.count(NOW, kind))]
    assert len(written) <= MOST + 5
    (total,) = sampler.completed_totals(NOW + timedelta(seconds=WINDOW))
    assert (total.count, total.kind.network, total.since) == (30_000, "", NOW)


def test_the_kinds_in_memory_are_bounded() -> None:
    """N87: a number of networks without end takes no memory without end."""
    from idp.sampling import KINDS

    sampler = Sampler()
    for number in range(KINDS + 500):
        sampler.count(NOW, Kind(name="a", network=str(number)))
    (total,) = sampler.completed_totals(NOW + timedelta(seconds=WINDOW))
    assert total.count == KINDS + 500
    assert total.networks <= KINDS
    assert OTHERS == "others"


def test_totals_are_recorded_once_and_only_for_unrecorded_events() -> None:
    """I7: one total for each kind; none of what was seen once."""
    sampler = Sampler()
    other = Kind(name="link.refused", reason="link_used", network="192.0.2.7")
    for _ in range(7):
        sampler.count(NOW, KIND)
    sampler.count(NOW, other)
    assert sampler.completed_totals(NOW) == []
    later = NOW + timedelta(seconds=WINDOW)
    assert [(t.kind.reason, t.count) for t in sampler.completed_totals(later)] == [
        ("link_unknown", 7)
    ]
    assert sampler.completed_totals(later) == []


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("nonsense", "unknown"),
        (None, "unknown"),
    ],
)
def test_ipv6_addresses_are_counted_by_prefix(ip: str | None, network: str) -> None:
    """N52: one customer's addresses are one network."""
    assert network_of(ip) == network


def _send_all(world: World) -> None:
    """What needs no account, no client's secret and no session, each forty times."""
    rp = world.relying_party()
    public = world.relying_party("APP", auth_method=AuthMethod.NONE)
    browser = world.browser()
    for number in range(40):
        browser.get(AUTHORIZE, client_id=f"nobody-{number}", response_type="code")
        browser.get(AUTHORIZE, **rp.authorize_params(redirect_uri="https://evil.example/"))
        browser.client.get(
            AUTHORIZE,
            query_string=rp.authorize_params(code_challenge=None),
            base_url=browser.base,
        )
        world.browser().client.post(TOKEN, data={"grant_type": "x"}, base_url=browser.base)
        world.post(public, TOKEN, grant_type="authorization_code", code="x", code_verifier="v" * 43)
        browser.get("/activate", token=f"wrong-{number}")
        world.browser().client.get(
            "/scim/v2/Users", headers={"Authorization": f"Bearer {number}"}, base_url=browser.base
        )


def test_n88_anonymous_events_are_sampled_and_counted(world: World) -> None:
    """I7: 40 refusals of each kind are two rows (first and tenth), then a total of 40."""
    _send_all(world)
    names = ("authorize.refused", "token.refused", "link.refused", "scim.refused")
    rows = [(e.name, e.client_id, e.data["count"]) for e in world.events() if e.name in names]
    expected = [
        ("authorize.refused", None),
        ("authorize.refused", "emi"),
        ("authorize.refused", "emi"),
        ("token.refused", None),
        ("token.refused", "app"),
        ("link.refused", None),
        ("scim.refused", None),
    ]
    assert sorted(rows, key=str) == sorted(
        [(*kind, count) for kind in expected for count in (1, 10)], key=str
    )
    world.clock.advance(seconds=WINDOW)
    world.browser().get("/activate", token="wrong")
    totals = world.events(events.SAMPLED_EVENTS)
    assert sorted((t.data["event"], t.client_id or "") for t in totals) == sorted(
        (name, client or "") for name, client in expected
    )
    assert {t.data["count"] for t in totals} == {40}
    assert {t.actor for t in totals} == {None}


def test_events_of_authenticated_clients_are_each_recorded(world: World) -> None:
    """I7: a client that proved who it is has each of its refusals in the trail."""
    rp = world.relying_party()
    for _ in range(12):
        world.redeem(rp, "no-such-code")
    rows = world.events("token.refused")
    assert len(rows) == 12
    assert "count" not in rows[-1].data


def test_n50_guesses_at_one_account_are_recorded_up_to_the_alarm(world: World) -> None:
    """N50: wrong passwords of one network: a row each up to the bound of the alarm."""
    username = world.account()
    for _ in range(60):
        world.browser().sign_in(username, "wrong")
    rows = [e for e in world.events("signin.refused") if e.account_id]
    assert [row.data["count"] for row in rows] == list(range(1, 51))
