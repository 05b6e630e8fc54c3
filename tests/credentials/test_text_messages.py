"""Limits of text messages against toll fraud: each refuses, tells why in the trail,
and leaves an earlier code as good as it was."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import idp
from idp.app import create_app
from idp.credentials import text_messages
from idp.directory import accounts
from idp.errors import CodeNotSent, ConfigurationError
from idp.messages.message_kinds import TextMessageKind
from idp.ports import Ports, SystemTokens
from idp.settings import Settings
from idp.transaction import Origin
from tests.world import World

NUMBER = "+14169671111"


def limited(world: World, **limits: Any) -> World:
    """The same gateway with other limits."""
    settings = replace(world.settings, **limits)
    ports = Ports(world.clock, SystemTokens(), world.mailer, world.sms)
    return replace(world, app=create_app(settings, ports), settings=settings)


def send(world: World, username: str, number: str = NUMBER, ip: str = "192.0.2.1") -> str:
    """Try to send a text; returns the name of the limit, or nothing."""
    with world.work() as work:
        work.origin = Origin(ip=ip)
        account = accounts.by_username(work, username)
        try:
            text_messages.send(work, TextMessageKind.RESET_CODE, account, number, lambda: "123456")
        except CodeNotSent as refusal:
            return refusal.limit
    return ""


def other(n: int) -> str:
    return f"+1416967{2000 + n}"


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"sms_account_hour": 3}, "texts_account"),
        ({"sms_account_day": 3}, "texts_account"),
        ({"sms_network_hour": 3}, "texts_network"),
        ({"sms_country_hour": 3}, "texts_country"),
        ({"sms_hour": 3}, "texts_all"),
    ],
)
def test_each_limit_of_text_messages_is_enforced(
    world: World, limits: dict[str, int], name: str
) -> None:
    """Per account and hour, account and day, network, country, in all."""
    world = limited(world, **limits)
    username = world.account()
    assert [send(world, username, other(n)) for n in range(4)] == ["", "", "", name]
    assert world.events("text.refused")[-1].reason == name
    world.run_worker()
    assert len(world.sms.sent) == 3


def test_n52_an_ipv6_network_has_one_limit(world: World) -> None:
    """N52: whichever address of its /64 asks."""
    world = limited(world, sms_network_hour=3)
    networks = ["2001:db8::"] * 4 + ["2001:db8:0:1::"]
    outcomes = [
        send(world, world.account(), other(number), f"{network}{number + 1:x}")
        for number, network in enumerate(networks)
    ]
    assert outcomes == ["", "", "", "texts_network", ""]


def test_a_number_has_one_limit_over_all_accounts(world: World) -> None:
    """Whoever asks."""
    world = limited(world, sms_number_day=3, sms_number_accounts=100)
    names = [world.account() for _ in range(4)]
    assert [send(world, name) for name in names] == ["", "", "", "texts_number"]


def test_three_accounts_may_use_a_number_within_a_day(world: World) -> None:
    """Through the pages, where the codes are kept with their number."""
    from tests.factor_steps import add_sent
    from tests.world import PASSWORD

    for _ in range(3):
        add_sent(world, world.browser().signed_in(world.account()), "sms", current=PASSWORD)
    fourth = world.browser().signed_in(world.account())
    path = "/settings/factors/sms"
    page = fourth.submit(fourth.get(path), "/settings/verify", current=PASSWORD)
    form = {"do": "begin", "country": "CA", "number": "416 967 1111"}
    refused = fourth.submit(page, path, **form)
    assert refused.status_code == 400
    assert world.events("text.refused")[-1].reason == "texts_number_accounts"
    world.clock.advance(days=1)
    page = fourth.get("/signin")
    fourth.signed_in("holder4")
    page = fourth.submit(fourth.get(path), "/settings/verify", current=PASSWORD)
    assert fourth.submit(page, path, **form).status_code == 200


@pytest.mark.parametrize("number", ["+18765551234", "+12425551234", "+442079460000"])
def test_other_countries_are_refused(world: World, number: str) -> None:
    """The prefix +1 is Jamaica's and the Bahamas' too; only what is set is served."""
    assert send(world, world.account(), number) == "texts_country"
    world = limited(world, sms_countries=("CA", "US", "JM", "BS", "GB"))
    assert send(world, world.account(), number) == ""


def test_unknown_countries_in_the_settings_are_refused(base_settings: Settings) -> None:
    """A country that is none is refused at the start."""
    with pytest.raises(ConfigurationError, match="IDP_SMS_COUNTRIES"):
        replace(base_settings, sms_countries=("CA", "XX")).validate()


def test_text_messages_are_queued_in_one_module_only() -> None:
    """A text that another module queues would have no limits."""
    callers = [
        path.name
        for path in Path(idp.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "enqueue_sms"
    ]
    assert callers == ["text_messages.py"]
