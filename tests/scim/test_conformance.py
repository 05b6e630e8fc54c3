"""The conformance checks of scim2-tester against the bridge (RFC 7643, 7644)."""

from __future__ import annotations

import pytest
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import Status, check_server

from idp.directory import participants
from registration_bridge.user_schema import Email, Participant, PhoneNumber, Role, provider
from tests.scim.pusher import Pusher
from tests.world import World

#: What the checks try and the bridge rightly answers in its own way: another user name or person
#: for an account, another reason for a second one, networks of one that is no machine, another pair
#: for a group, another number for a participant; a participant keeps name and status when nobody
#: says another; a second account acts for one participant.
REFUSED = (
    "secondAccount cannot be changed.",
    "personId cannot be changed.",
    "participantId cannot be changed.",
    "'userName' is immutable",
    "'roleGroup' is immutable",
    "'participantId' is immutable",
    "Group:participantName'",
    "registeredNetworks",
    "did not remove attribute 'status'",
    "acts for participant 109120 only",
)
#: The checks compare the text of a moment that they sent with the moment that they read.
NO_FAULT = ("User:endDate'.\nPatched value: 2041-01-01T00:00:00Z\nReturned value: 2041-01-01 ",)


def test_third_party_conformance_checks_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No failure but right refusals, which are listed."""
    # The checks fill in what a field gives as examples: pairs that exist and rarely meet.
    numbers = [str(number) for number in range(200_000, 900_000)]
    registered = [str(number) for number in range(100_000, 100_300)]
    with world.work() as work:
        for number in registered:
            participants.register(work, number, f"Company {number}")
    monkeypatch.setattr(Role.model_fields["role_group"], "examples", ["EMI Bids and Offers"])
    monkeypatch.setattr(Role.model_fields["participant_id"], "examples", registered)
    monkeypatch.setattr(Participant.model_fields["participant_id"], "examples", numbers)
    for model in (Email, PhoneNumber):
        # There is one of each, so it is the primary one.
        monkeypatch.setattr(model.model_fields["primary"], "examples", ["true"])
    rp = world.relying_party()
    world.role_group("EMI Bids and Offers", rp.client_id)
    pusher = Pusher.of(world)
    world.participant("109120")
    # The example of a contact has an account.
    world.account(person_id="100231")
    client = WSGISCIMClient(
        world.app,
        base_url=f"{world.settings.issuer}/scim/v2",
        headers={"Authorization": f"Bearer {pusher.token}"},
        provider=provider(),
    )
    results = check_server(client)
    errors = [f"{found.title}: {found.reason}" for found in results if found.status is Status.ERROR]
    known = (*REFUSED, *NO_FAULT)
    left = [error for error in errors if not any(name in error for name in known)]
    assert left == [], "\n\n".join(left)
    assert len([found for found in results if found.status is Status.SUCCESS]) > 20
