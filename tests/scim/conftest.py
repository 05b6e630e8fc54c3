"""What the tests of the bridge share."""

from __future__ import annotations

import pytest

from tests.scim.pusher import Pusher
from tests.world import World


def registration(world: World) -> Pusher:
    """The registration system, and an application with three role groups."""
    rp = world.relying_party()
    world.role_group("EMI Trader", rp.client_id)
    world.role_group("EMI Viewer", rp.client_id)
    world.role_group("MIM", rp.client_id, kind="machine")
    return Pusher.of(world)


@pytest.fixture
def pusher(world: World) -> Pusher:
    """The registration system, an application with three role groups, two participants."""
    world.participant("109120", "Erie Wind")
    world.participant("111340", "Huron Hydro")
    return registration(world)
