"""The flow of each plan."""

from __future__ import annotations

import pytest

from tests.conformance.flow import Flow
from tests.world import World


def make_flow(world: World, mode: str | None = None) -> Flow:
    """A flow with a person of its own."""
    rp = world.relying_party(require_pkce=False, trusted=False)
    return Flow(world, rp, world.browser(), world.account(), mode)


@pytest.fixture
def flow(world: World) -> Flow:
    return make_flow(world)


@pytest.fixture(params=[None, "form_post"], ids=["basic", "formpost"])
def each(world: World, request: pytest.FixtureRequest) -> Flow:
    """The Basic OP plan, and the Form Post OP plan, which has the same modules."""
    return make_flow(world, request.param)
