"""A client with the scope scim is made, and made stronger, by two operators (N72, N74)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from idp.clients import client_data, client_proposals, client_secrets, registry
from idp.clients.client_data import ClientData
from idp.directory import accounts, participants
from idp.errors import Refused
from idp.models import AccountState, Client, ClientProposal
from idp.policy.console import ConsoleRole
from idp.transaction import UnitOfWork
from tests.console.desk import Desk
from tests.console.test_oneself import second
from tests.scim.pusher import Pusher, user
from tests.shell import Run, good
from tests.world import OTHER_KEY, Rp, World

ACCESS = ConsoleRole.ACCESS
FORM: dict[str, str | list[str]] = {
    "client_id": "registration",
    "name": "Registration system",
    "auth_method": "client_secret_basic",
    "account_kinds": ["machine"],
    "grant_types": ["client_credentials"],
    "scopes": "scim",
    "require_pkce": "1",
    "id_token_alg": "RS256",
    "access_token_alg": "ES256",
    "access_token_format": "jwt",
}
DATA = ClientData(name="Registration system", grant_types=("client_credentials",), scopes=("scim",))


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk.of(world, ACCESS)


@pytest.fixture
def other(world: World) -> Desk:
    return Desk.of(world, ACCESS)


def proposed(world: World) -> str:
    """The newest proposal."""
    with world.work() as work:
        return (
            work.db.scalars(
                select(ClientProposal.public_id).order_by(ClientProposal.id.desc())
            ).first()
            or ""
        )


def confirm(desk: Desk, proposal: str) -> Any:
    return desk.post(f"/console/proposals/{proposal}/confirm")


def registered(world: World) -> dict[str, Any] | None:
    """What is registered of the client, its secret's digests included."""
    with world.work() as work:
        row = registry.find(work, "registration")
        if row is None:
            return None
        columns = Client.__table__.columns.keys()
        return {name: getattr(row, name) for name in columns if name != "updated_at"}


def test_n72_one_proposes_and_another_confirms(world: World, desk: Desk, other: Desk) -> None:
    """N72: nothing is registered before; the proposer cannot confirm; the other sees all of it, and
    gets the secret, which works."""
    answer = desk.post("/console/clients/new", **FORM)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/proposals")
    assert registered(world) is None
    own = desk.browser.get("/console/proposals").text
    assert "Register registration" in own
    assert "/confirm" not in own
    assert "You proposed this change" in own
    proposal = proposed(world)
    assert confirm(desk, proposal).status_code == 403
    assert registered(world) is None
    page = other.browser.get("/console/proposals").text
    for word in ("<code>registration</code>", "<code>scim</code>", desk.username, "/confirm"):
        assert word in page.replace("Register registration", "<code>registration</code>")
    made = confirm(other, proposal)
    secret = re.findall(r"Client secret: <code>([^<]+)</code>", made.text)[0]
    assert made.headers["Cache-Control"] == "no-store"
    pusher = Pusher(world, Rp("registration", secret, ""))
    pusher.renew()
    assert pusher.send("POST", body=user()).status_code == 201
    assert confirm(other, proposal).status_code == 400
    names = [(e.name, e.actor) for e in world.events() if e.name.startswith("client.")]
    assert names == [
        ("client.proposed", desk.username),
        ("client.proposal_confirmed", other.username),
        ("client.created", other.username),
    ]
    assert world.events("client.proposal_confirmed")[0].data["proposed_by"] == desk.username


def test_n74_the_proposer_cannot_confirm_with_a_second_account(world: World, desk: Desk) -> None:
    """N74: persons are compared, in the console and in the shell."""
    desk.post("/console/clients/new", **FORM)
    twin = second(world, desk.username)
    with world.work() as work:
        account = accounts.by_username(work, twin)
        account.second_participant = participants.by_number(work, "IESO")
    world.grant_role(twin, ACCESS, "IESO")
    with_twin = Desk(world, twin, world.browser().signed_in(twin))
    assert confirm(with_twin, proposed(world)).status_code == 403
    assert world.events("console.refused")[-1].actor == twin
    assert registered(world) is None


#: Everything that makes a pusher stronger, as an operator orders it in the console.
STRONGER: dict[str, tuple[str, dict[str, str | list[str]]]] = {
    "reach": ("", FORM | {"name": "Else"}),
    "key": (
        "",
        FORM
        | {
            "auth_method": "private_key_jwt",
            "new_key": OTHER_KEY.as_pem(private=False).decode(),
        },
    ),
    "address": ("", FORM | {"auth_method": "private_key_jwt", "jwks_uri": "https://r.test/keys"}),
    "secret": ("/secret", {"overlap_hours": "0"}),
    "enable": ("/enable", {}),
}


@pytest.mark.parametrize("change", STRONGER)
def test_n72_each_extension_of_a_provisioning_client_needs_two_operators(
    world: World, desk: Desk, other: Desk, change: str
) -> None:
    """N72: registration, key, secret, switching on: proposed, not done; then confirmed and done."""
    Pusher.of(world)
    if change == "enable":
        assert desk.post("/console/clients/registration/disable").status_code == 303
    before = registered(world)
    path, form = STRONGER[change]
    sent = {k: v for k, v in form.items() if k != "client_id"}
    answer = desk.post(f"/console/clients/registration{path}", **sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/proposals")
    assert registered(world) == before
    assert confirm(desk, proposed(world)).status_code == 403
    assert registered(world) == before
    assert "registration" in other.browser.get("/console/proposals").text
    assert confirm(other, proposed(world)).status_code in (200, 303)
    after = registered(world)
    assert after is not None
    assert after != before
    if change == "key":
        assert len(after["keys"]) == 1
        assert after["secret_digest"] is None


def test_n72_giving_a_client_the_scope_needs_two_operators(
    world: World, desk: Desk, other: Desk
) -> None:
    """N72: an application does not become a pusher by one hand; losing the scope takes one."""
    rp = world.relying_party(client_id="registration")
    form = FORM | {"redirect_uris": rp.redirect_uri, "grant_types": ["authorization_code"]}
    del form["client_id"]
    before = registered(world)
    desk.post("/console/clients/registration", **form)
    assert registered(world) == before
    # Nobody else has confirmed the rest of its registration: all of it is shown.
    assert f"<code>{rp.redirect_uri}</code>" in other.browser.get("/console/proposals").text
    page = confirm(other, proposed(world))
    assert re.findall(r"Client secret: <code>([^<]{43})</code>", page.text)
    with world.work() as work:
        row = registry.get(work, "registration")
        assert row.scopes == ["scim"]
        # The secret that one operator alone could know ends at once.
        assert not client_secrets.matches(work, row, rp.secret)
    answer = desk.post("/console/clients/registration", **form | {"scopes": "openid"})
    assert answer.headers["Location"] == "/console/clients/registration"
    with world.work() as work:
        assert registry.get(work, "registration").scopes == ["openid"]


def test_n72_an_operator_cannot_replace_the_key_by_removing_the_scope_first(
    world: World, desk: Desk, other: Desk
) -> None:
    """N72: who takes the scope off, changes the key and proposes the scope again needs another
    person, who is shown the key by its digest (RFC 7638), old as it is by then."""
    Pusher.of(world)
    path, form = "/console/clients/registration", dict(FORM)
    del form["client_id"]
    # One pair of hands: the scope is off, and the key is one's own.
    own = {"auth_method": "private_key_jwt", "new_key": OTHER_KEY.as_pem(private=False).decode()}
    assert desk.post(path, **form | own | {"scopes": ""}).headers["Location"] == path
    thumbprint = OTHER_KEY.thumbprint()
    with world.work() as work:
        row = registry.get(work, "registration")
        assert (row.scopes, [key["kid"] for key in row.keys]) == ([], [thumbprint])
    again = form | {"auth_method": "private_key_jwt", "keys": thumbprint}
    assert desk.post(path, **again).headers["Location"] == "/console/proposals"
    assert f"<code>{thumbprint}</code>" in other.browser.get("/console/proposals").text
    assert confirm(desk, proposed(world)).status_code == 403
    with world.work() as work:
        assert registry.get(work, "registration").scopes == []


def test_restricting_a_client_needs_one_operator(world: World, desk: Desk) -> None:
    """N18: switching off and ending an old secret do not wait for anybody."""
    Pusher.of(world)
    with world.work() as work:
        row = registry.get(work, "registration")
        client_secrets.rotate(work, row, overlap_hours=5, is_approved=True)
    for path in ("end-old-secret", "disable"):
        assert desk.post(f"/console/clients/registration/{path}").status_code == 303
    after = registered(world)
    assert after is not None
    assert (after["former_secret_digest"], after["disabled_at"] is None) == (None, False)
    assert world.events("client.proposed") == []


def test_a_proposal_expires(world: World, desk: Desk, other: Desk) -> None:
    """Three days to the second; then it is gone from the list, and the trail says so."""
    desk.post("/console/clients/new", **FORM)
    proposal = proposed(world)
    world.clock.advance(seconds=client_proposals.HOURS * 3600)
    late = Desk(world, other.username, world.browser().signed_in(other.username))
    assert "Register registration" not in late.browser.get("/console/proposals").text
    answer = confirm(late, proposal)
    assert (answer.status_code, registered(world)) == (400, None)
    assert "The proposal has expired" in answer.text
    world.run_worker()
    (event,) = world.events("client.proposal_expired")
    assert event.data["proposal"] == proposal


def test_a_proposal_is_withdrawn(world: World, desk: Desk, other: Desk) -> None:
    """By its proposer or by another operator, once."""
    desk.post("/console/clients/new", **FORM)
    proposal = proposed(world)
    assert desk.post(f"/console/proposals/{proposal}/withdraw").status_code == 303
    answer = confirm(other, proposal)
    assert (answer.status_code, registered(world)) == (400, None)
    assert "The proposal is withdrawn" in answer.text
    assert other.post(f"/console/proposals/{proposal}/withdraw").status_code == 400
    assert confirm(other, "nobody").status_code == 400


#: Ways in which the row of a proposal could be changed behind the back of who confirms.
CHANGED: dict[str, dict[str, Any]] = {
    "client": {"client_id": "another"},
    "kind": {"kind": "secret"},
    "settings": {"data": {"settings": {"name": "Evil", "scopes": ["scim"]}, "role_groups": []}},
    "base": {"base": "0" * 64},
}


@pytest.mark.parametrize("change", [*CHANGED, "proposer", "end"])
def test_n74_a_proposal_changed_after_it_was_made_is_not_confirmed(
    world: World, desk: Desk, other: Desk, change: str
) -> None:
    """N74: whatever was changed of it, also who proposed it and until when it counts."""
    desk.post("/console/clients/new", **FORM)
    with world.work() as work:
        values = CHANGED.get(change)
        if change == "proposer":
            values = {"proposed_by": world.id_of(work, world.operator(ACCESS))}
        if change == "end":
            values = {"expires_at": work.after(days=30)}
        work.db.execute(update(ClientProposal).values(**values or {}))
    answer = confirm(other, proposed(world))
    assert answer.status_code == 400
    assert "was changed after it was made" in answer.text
    with world.work() as work:
        assert work.db.scalar(select(func.count()).select_from(Client)) == 0


def test_n74_a_proposal_is_refused_if_the_client_changed_since(
    world: World, desk: Desk, other: Desk
) -> None:
    """N74: who confirms has read the present registration; another one takes a new proposal."""
    Pusher.of(world)
    sent = {k: v for k, v in FORM.items() if k != "client_id"} | {"name": "Else"}
    desk.post("/console/clients/registration", **sent)
    with world.work() as work:
        row = registry.get(work, "registration")
        data = replace(client_data.current_data(row), push_participants=("109120",))
        registry.update(work, row, data, is_approved=True)
    before = registered(world)
    answer = confirm(other, proposed(world))
    assert answer.status_code == 400
    assert "The client has changed" in answer.text
    assert registered(world) == before


@pytest.mark.parametrize("lost", ["role", "state"])
def test_n74_a_proposal_of_a_former_operator_is_refused(
    world: World, desk: Desk, other: Desk, lost: str
) -> None:
    """N74: two operators at the moment it is done."""
    desk.post("/console/clients/new", **FORM)
    if lost == "role":
        world.revoke_role(desk.username, ACCESS, "IESO")
    else:
        world.set_state(desk.username, AccountState.LOCKED)
    assert confirm(other, proposed(world)).status_code == 400
    assert registered(world) is None


CREATE = ("client", "create", "--client-id", "registration", "--name", "Registration",
          "--grant-type", "client_credentials", "--scope", "scim")  # fmt: skip


def test_n72_two_operators_on_the_command_line(world: World, run: Run) -> None:
    """N72: without --as refused; proposed by one, confirmed by another; text and JSON."""
    one, another = world.operator(ACCESS), world.operator(ACCESS)
    alone = run(*CREATE)
    assert alone.exit_code == 1
    assert "requires approval" in alone.stderr
    assert "--as" in alone.stderr
    text = run(*CREATE, "--as", one)
    assert text.exit_code == 0, text.output
    proposal = proposed(world)
    assert f"gateway client confirm {proposal} --as ANOTHER-OPERATOR" in text.stdout
    assert registered(world) is None
    assert proposal in run("client", "proposals").stdout
    (shown,) = good(run("client", "proposals", "--json"))
    assert (shown["proposal"], shown["proposed_by"]) == (proposal, one)
    assert {"name": "scopes", "now": None, "proposed": ["scim"]} in shown["changes"]
    for wrong in ((), ("--as", one), ("--as", second(world, one)), ("--as", world.account())):
        assert run("client", "confirm", proposal, *wrong).exit_code == 1
        assert registered(world) is None
    made = good(run("client", "confirm", proposal, "--as", another, "--json"))
    assert (made["client_id"], len(made["client_secret"])) == ("registration", 43)
    before = registered(world)
    assert run("client", "rotate-secret", "registration", "--as", one).exit_code == 0
    assert run("client", "update", "registration", "--name", "Else", "--as", one).exit_code == 0
    assert run("client", "rotate-secret", "registration").exit_code == 1
    assert registered(world) == before
    renamed, rotated = (
        row["proposal"] for row in reversed(good(run("client", "proposals", "--json")))
    )
    done = run("client", "confirm", rotated, "--as", another)
    assert "client_secret  " in done.stdout
    assert "The previous secret works until" in done.stdout
    gone = run("client", "withdraw", renamed, "--as", one)
    assert gone.stdout == f"{renamed} is withdrawn.\n"
    assert run("client", "proposals").stdout == "No proposals.\n"
    assert run("client", "disable", "registration").exit_code == 0
    asked = run("client", "enable", "registration", "--as", one)
    assert "Nothing was changed yet." in asked.stdout
    done = run("client", "confirm", proposed(world), "--as", another)
    assert done.stdout == "registration is confirmed.\n"


#: The services that make a pusher stronger.
SERVICES: dict[str, Callable[[UnitOfWork, Client], object]] = {
    "create": lambda work, _row: registry.create(work, DATA),
    "update": lambda work, row: registry.update(work, row, DATA),
    "rotate": lambda work, row: client_secrets.rotate(work, row, overlap_hours=1),
    "enable": lambda work, row: registry.enable(work, row),
}


@pytest.mark.parametrize("service", SERVICES)
def test_n72_no_service_extends_a_provisioning_client_with_one_operator(
    world: World, service: str
) -> None:
    """N72: the services themselves refuse, so that no page and no command can forget it."""
    Pusher.of(world)
    with world.work() as work:
        row = registry.get(work, "registration")
        with pytest.raises(Refused, match="requires approval"):
            SERVICES[service](work, row)


def test_an_invalid_registration_is_refused_when_proposed(world: World, desk: Desk) -> None:
    """N09: the fault is named at once, not after somebody confirmed it."""
    answer = desk.post("/console/clients/new", **FORM | {"grant_types": ["password"]})
    assert answer.status_code == 400
    assert "grant_types are among" in answer.text
    assert world.events("client.proposed") == []
