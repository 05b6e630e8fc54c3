"""What the tests of the bridge share."""

from __future__ import annotations

import pytest

from tests.scim.pusher import Pusher
from tests.world import World


@pytest.fixture
def pusher(world: World) -> Pusher:
    """The registration system, and an application with two role groups."""
    rp = world.relying_party()
    world.role_group("EMI Trader", rp.client_id)
    world.role_group("EMI Viewer", rp.client_id)
    world.role_group("MIM", rp.client_id, kind="machine")
    return Pusher.of(world)
