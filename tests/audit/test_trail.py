"""The audit trail: in the transaction of the change, chained, exported."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from idp.app import db
from idp.audit import chain, trail, verification
from idp.audit.verification import VerificationResult
from idp.errors import Refused
from idp.maintenance import alarms
from idp.models import ChainHead, Event
from idp.policy.console import ConsoleRole
from idp.transaction import UnitOfWork
from idp.vault import Vault
from tests.console.desk import Desk
from tests.world import World


def seal_all(world: World) -> int:
    total = 0
    while True:
        with world.work() as work:
            sealed = chain.seal_pending(work, batch=3)
        if not sealed:
            return total
        total += sealed


def verified(world: World) -> VerificationResult:
    with world.work() as work:
        return verification.verify(work)


def test_events_are_written_with_the_change_or_not_at_all(world: World) -> None:
    """I1: a rollback leaves neither."""
    from idp.audit import events

    with pytest.raises(RuntimeError), world.work() as work:  # noqa: PT012
        events.record(work, "test.event")
        raise RuntimeError
    assert world.events("test.event") == []


def test_each_step_of_a_sign_in_is_recorded(world: World) -> None:
    """Sign-in, refusal with reason, code, token, each a row with its origin."""
    rp, username = world.relying_party(), world.account()
    world.browser().sign_in(username, "wrong")
    world.signed_in_tokens(rp, username)
    story = [(e.name, e.outcome, e.reason) for e in world.events() if e.at == world.clock.now()]
    assert story[-5:] == [
        ("signin.refused", "refused", "wrong_password"),
        ("signin.assessed", "ok", None),
        ("signin.succeeded", "ok", None),
        ("authorize.granted", "ok", None),
        ("token.issued", "ok", None),
    ]
    assert world.events("signin.succeeded")[-1].ip == "127.0.0.1"
    assert world.events("signin.succeeded")[-1].request_id


FORGED_SEAL = "AAAAAAAA." + "A" * 43


def forge(work: UnitOfWork, **values: Any) -> int:
    """A row as somebody writes it who can write to the database; returns its id."""
    row = Event(at=work.now, name="account.state", outcome="ok", data={}, **values)
    work.db.add(row)
    work.db.flush()
    return row.id


def do_damage(work: UnitOfWork, damage: str, count: int) -> None:
    """Damage a chain of so many records."""
    if damage == "change":
        work.db.execute(update(Event).where(Event.seq == 4).values(actor="nobody"))
    elif damage == "remove":
        work.db.execute(delete(Event).where(Event.seq == 4))
    elif damage == "reorder":
        for place, number in ((4, -1), (5, 4), (-1, 5)):
            work.db.execute(update(Event).where(Event.seq == place).values(seq=number))
    elif damage == "cut the tail":
        work.db.execute(delete(Event).where(Event.seq > count - 2))
    elif damage == "behead":
        work.db.execute(delete(ChainHead))
    elif damage == "copy a seal":
        seal = work.db.scalar(select(Event.seal).where(Event.seq == 3))
        work.db.execute(update(Event).where(Event.seq == 4).values(seal=seal))
    elif damage == "another key":
        work.db.execute(update(Event).where(Event.seq == 4).values(seal=FORGED_SEAL))
    elif damage == "forge the next":
        forge(work, seq=count + 1, seal=FORGED_SEAL)
    elif damage == "forge far beyond":
        forge(work, seq=2**40, seal="x")
    elif damage == "forge below":
        forge(work, seq=-7, seal=None)
    elif damage == "forge half":
        forge(work, seq=None, seal=FORGED_SEAL)
    else:
        work.db.execute(update(ChainHead).values(seal=FORGED_SEAL))


DAMAGES = {
    "change": {"changed": 1},
    # The record after a gap has nothing to be proved by.
    "remove": {"missing": 1, "unproved": 1},
    "reorder": {"changed": 3},
    "cut the tail": {"missing": 2},
    "behead": {"head": 1},
    "copy a seal": {"changed": 2},
    # The seal of the next one was made over the seal that was there.
    "another key": {"unknown_key": 1, "changed": 1},
    "forge the next": {"forged": 1},
    "forge far beyond": {"forged": 1},
    "forge below": {"forged": 1},
    "forge half": {"forged": 1},
    "another head": {"head": 1},
}


@pytest.mark.parametrize(("damage", "faults"), DAMAGES.items(), ids=list(DAMAGES))
def test_every_kind_of_damage_is_found(world: World, damage: str, faults: dict[str, int]) -> None:
    """TM-12: the chain is whole; after the damage each kind is told apart, and every row counts."""
    for _ in range(3):
        world.account()
    count = seal_all(world)
    whole = verified(world)
    assert (whole.sealed, whole.unsealed, whole.is_intact) == (count, 0, True)
    with world.work() as work:
        do_damage(work, damage, count)
    found = verified(world)
    assert dict(found.faults) == faults
    with world.work() as work:
        exported = Counter(record["proof"] for record in trail.export_records(work))
    in_rows = {kind: n for kind, n in faults.items() if kind not in ("missing", "head")}
    if damage != "behead":
        assert {kind: n for kind, n in exported.items() if kind != "proved"} == in_rows


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name.startswith("forge")])
def test_sealing_continues_after_a_forged_row_and_raises_an_alarm(
    world: World, damage: str
) -> None:
    """TM-12: it is put aside, told in the trail and in the console, and found by every proof."""
    world.account()
    count = seal_all(world)
    with world.work() as work:
        do_damage(work, damage, count)
    world.account()
    assert seal_all(world) > 0
    found = verified(world)
    assert (dict(found.faults), found.unsealed) == ({"forged": 1}, 0)
    if damage == "forge half":
        return
    (told,) = world.events(chain.FORGED)
    assert told.data["count"] == 1
    assert told.seal is not None
    with world.work() as work:
        assert [event.name for event in alarms.recent(work)] == [chain.FORGED]


def test_a_chain_without_its_head_continues_from_its_last_record(world: World) -> None:
    """TM-12: the loss is an event; nothing of the trail before is given up for it."""
    world.account()
    count = seal_all(world)
    with world.work() as work:
        work.db.execute(delete(ChainHead))
        forge(work, seq=count + 1, seal=FORGED_SEAL)
    world.account()
    seal_all(world)
    assert dict(verified(world).faults) == {"forged": 1}
    (lost,) = world.events(chain.HEAD_LOST)
    assert lost.data == {"seq": count}


def test_sealing_is_refused_if_nothing_of_the_chain_can_be_verified(world: World) -> None:
    """TM-12: without head and without key the sealer refuses; the age of what waits is told."""
    world.account()
    seal_all(world)
    with world.work() as work:
        work.db.execute(delete(ChainHead))
    world.account()
    with world.work() as work:
        work.vault = Vault(replace(world.settings, secret_key="n" * 40))
        with pytest.raises(Refused):
            chain.seal_pending(work)


def test_old_unsealed_events_raise_an_alarm(world: World) -> None:
    """TM-12: five minutes old and not sealed: told once an hour, for as long as it lasts."""
    world.account()
    raised = []
    for minutes in (4, 2, 30, 29, 10):
        world.clock.advance(minutes=minutes)
        with world.work() as work:
            raised.append(alarms.raise_due(work))
    assert raised == [0, 1, 0, 0, 1]
    seal_all(world)
    world.clock.advance(hours=2)
    with world.work() as work:
        assert alarms.raise_due(work) == 0


def test_the_console_shows_that_events_are_not_sealed(world: World) -> None:
    """TM-12: without any worker too; whoever does not watch over the trail does not see it."""
    desks = [Desk.of(world, role) for role in (ConsoleRole.AUDITOR, ConsoleRole.AGENT)]
    words = "The audit log has not been sealed"
    assert [words in desk.browser.get("/console").text for desk in desks] == [False, False]
    world.clock.advance(minutes=6)
    assert [words in desk.browser.get("/console").text for desk in desks] == [True, False]


def test_seals_of_earlier_versions_still_verify(world: World) -> None:
    """TM-12: they name no key; every one is tried."""
    world.account()
    with world.work() as work:
        seal, rows = chain.GENESIS, work.db.scalars(select(Event).order_by(Event.id)).all()
        for seq, event in enumerate(rows, 1):
            event.seq = seq
            seal = work.vault.seal_record(seal, chain.canonical(event)).partition(".")[2]
            # Without a name the seal before is another text: made again over that one.
            event.seal = seal
        work.db.add(ChainHead(id=1, seq=len(rows), seal=seal))
    assert verified(world).is_intact
    world.account()
    seal_all(world)
    assert verified(world).is_intact


def test_sealers_do_not_disturb_each_other(world: World) -> None:
    """Two workers at once: every row sealed once, the chain whole."""
    for _ in range(6):
        world.account()
    barrier = threading.Barrier(4, timeout=60)

    def run() -> None:
        barrier.wait()
        for _ in range(30):
            with world.app.app_context():
                work = world.app.extensions["runtime"].work()
                try:
                    chain.seal_pending(work, batch=2)
                    db.session.commit()
                except Exception:
                    db.session.rollback()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal_all(world)
    result = verified(world)
    assert result.is_intact
    with world.work() as work:
        assert result.sealed == work.db.scalar(select(func.count()).select_from(Event))
        head = work.db.get_one(ChainHead, 1)
        assert head.seq == result.sealed


def test_the_export_is_json_lines_with_names(world: World) -> None:
    """One object a line, oldest first, with the account's login name."""
    username = world.account()
    with world.work() as work:
        rows = [json.loads(line) for line in trail.export(work)]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert username in {row["account"] for row in rows}


def test_a_secret_rotation_keeps_the_chain(world: World) -> None:
    """TM-12: seals under an earlier secret count while it is a fallback, or named for the trail;
    else they are by a key that is not here, which is not the word for a forged one."""
    world.account()
    seal_all(world)
    rotated = replace(
        world.settings,
        secret_key="n" * 40,
        secret_key_fallbacks=(world.settings.secret_key,),
    )
    without = replace(rotated, secret_key_fallbacks=())
    faults = []
    for settings in (
        rotated,
        without,
        replace(without, audit_keys=("o" * 40, world.settings.secret_key)),
    ):
        with world.work() as work:
            work.vault = Vault(settings)
            faults.append(dict(verification.verify(work).faults))
    assert faults == [{}, {"unknown_key": len(world.events())}, {}]
