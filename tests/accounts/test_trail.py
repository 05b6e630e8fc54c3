"""The audit trail: in the transaction of the change, chained, exported."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import delete, func, select, update

from idp.accounts import trail
from idp.db import db
from idp.models import ChainHead, Event
from tests.world import World


def seal_all(world: World) -> int:
    total = 0
    while True:
        with world.work() as work:
            sealed = trail.seal_pending(work, batch=3)
        if not sealed:
            return total
        total += sealed


def proof(world: World) -> trail.Proof:
    with world.work() as work:
        return trail.verify(work)


def test_events_are_written_with_the_change_or_not_at_all(world: World) -> None:
    """I1: a rollback leaves neither."""
    from idp.accounts import events

    with pytest.raises(RuntimeError), world.work() as work:  # noqa: PT012
        events.record(work, "test.event")
        raise RuntimeError
    assert world.events("test.event") == []


def test_a_sign_in_leaves_its_whole_story(world: World) -> None:
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


@pytest.mark.parametrize(
    "damage", ["change", "remove", "reorder", "cut the tail", "forge", "behead"]
)
def test_every_kind_of_damage_is_found(world: World, damage: str) -> None:
    """TM-12: the chain is whole, and after the damage it is not."""
    for _ in range(3):
        world.account()
    count = seal_all(world)
    whole = proof(world)
    assert (whole.sealed, whole.unsealed, whole.fault) == (count, 0, None)
    with world.work() as work:
        if damage == "change":
            work.db.execute(update(Event).where(Event.seq == 4).values(actor="nobody"))
        elif damage == "remove":
            work.db.execute(delete(Event).where(Event.seq == 4))
        elif damage == "reorder":
            work.db.execute(update(Event).where(Event.seq == 4).values(seq=-1))
            work.db.execute(update(Event).where(Event.seq == 5).values(seq=4))
            work.db.execute(update(Event).where(Event.seq == -1).values(seq=5))
        elif damage == "cut the tail":
            work.db.execute(delete(Event).where(Event.seq > count - 2))
        elif damage == "behead":
            work.db.execute(delete(ChainHead))
        else:
            seal = work.db.scalar(select(Event.seal).where(Event.seq == 3))
            work.db.execute(update(Event).where(Event.seq == 4).values(seal=seal))
    fault = proof(world).fault
    assert fault is not None
    assert "head" in fault or re_number(fault) == 4


def re_number(text: str) -> int:
    import re

    return int(re.findall(r"\d+", text)[0])


def test_sealers_do_not_disturb_each_other(world: World) -> None:
    """Two workers at once: every row sealed once, the chain whole."""
    for _ in range(6):
        world.account()
    barrier = threading.Barrier(4, timeout=60)

    def run() -> None:
        barrier.wait()
        for _ in range(30):
            with world.app.app_context():
                work = world.app.extensions["means"].work()
                try:
                    trail.seal_pending(work, batch=2)
                    db.session.commit()
                except Exception:
                    db.session.rollback()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal_all(world)
    result = proof(world)
    assert result.fault is None
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
    """Seals made under the earlier secret still count while it is a fallback."""
    from dataclasses import replace

    from idp.vault import Vault

    world.account()
    seal_all(world)
    rotated = replace(
        world.settings,
        secret_key="n" * 40,
        secret_key_fallbacks=(world.settings.secret_key,),
    )
    with world.work() as work:
        work.vault = Vault(rotated)
        assert trail.verify(work).fault is None
        work.vault = Vault(replace(rotated, secret_key_fallbacks=()))
        assert trail.verify(work).fault is not None
