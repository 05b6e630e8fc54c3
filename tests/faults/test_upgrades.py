"""Upgrades, restarts and new keys while the gateway is used (R17 to R19)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.faults.balancer import PASSED_OVER, nginx_before
from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History, answered
from tests.faults.installation import ROOT, Installation, settings_of
from tests.faults.load import MIX, Client, load
from tests.faults.servers import OwnPostgreSQL

WITH_DENIALS = (*MIX, ("suspend", 1))


def killed_upgrade(installation: Installation, after: float) -> bool:
    """``gateway db upgrade``, killed after so many seconds; whether it was still at work."""
    made = subprocess.Popen(
        [sys.executable, "-m", "idp.cli", "db", "upgrade"], cwd=ROOT, env=installation.environ(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        made.wait(after)
    except subprocess.TimeoutExpired:
        made.kill()
        made.wait(20)
        return True
    return False


def upgraded_at_last(installation: Installation, kills: int) -> int:
    """Kill the upgrade at later and later moments, then let it finish; how often it was killed."""
    killed = 0
    for turn in range(kills):
        killed += killed_upgrade(installation, 0.5 + 0.25 * turn)
    installation.run("db", "upgrade")
    return killed


def test_r17_an_upgrade_killed_on_sqlite(tmp_path: Path, figures: Figures) -> None:
    """R17: the upgrade is one transaction; the next one does it all."""
    made = Installation(tmp_path, settings_of(f"sqlite:///{tmp_path}/gateway.db"))
    killed = upgraded_at_last(made, 6)
    assert killed > 0
    made.fill(people=1)
    assert made.rows("PRAGMA integrity_check") == [("ok",)]
    figures(killed=killed)


def test_r17_an_upgrade_killed_on_postgresql(
    postgresql: OwnPostgreSQL, tmp_path: Path, figures: Figures
) -> None:
    """R17: each step is a transaction; the next upgrade goes on where the last one was killed."""
    postgresql.execute("CREATE DATABASE killed_upgrade")
    made = Installation(tmp_path, settings_of(postgresql.url("killed_upgrade")))
    killed = upgraded_at_last(made, 8)
    assert killed > 0
    made.fill(people=1)
    postgresql.execute("DROP DATABASE killed_upgrade WITH (FORCE)")
    figures(killed=killed)


def test_r17_this_release_on_the_tables_of_a_newer_one(on_postgresql: Installation) -> None:
    """R17: another column, table and version under load; both releases serve."""
    on_postgresql.fill(victims=4)
    gateway = on_postgresql.serve()
    on_postgresql.work()
    with load(on_postgresql, [gateway.port], mix=WITH_DENIALS) as history:
        answered(history, 10)
        on_postgresql.change("ALTER TABLE account ADD COLUMN later text")
        on_postgresql.change('ALTER TABLE "grant" ADD COLUMN later integer DEFAULT 0 NOT NULL')
        on_postgresql.change("CREATE TABLE later (id bigint PRIMARY KEY)")
        on_postgresql.change("UPDATE alembic_version SET version_num = '9999'")
        answered(history, 20)
        again = on_postgresql.serve(workers=1)
        assert again.stop() == 0
    check(on_postgresql, history)
    counts = history.counts()
    assert (counts["unavailable"], counts["lost"]) == (0, 0)


def test_r18_a_rolling_restart_fails_no_request(
    on_postgresql: Installation, tmp_path: Path, figures: Figures
) -> None:
    """R18: two processes behind nginx are stopped by SIGTERM and started again, in turn, twice, at
    about 20 requests a second."""
    on_postgresql.fill(victims=4)
    gateways = [on_postgresql.serve(workers=1), on_postgresql.serve(workers=1)]
    on_postgresql.work()
    with (
        nginx_before(tmp_path, [g.address for g in gateways]) as address,
        load(on_postgresql, [address], clients=4, pause=0.15, mix=WITH_DENIALS) as history,
    ):
        for turn in range(4):
            answered(history, 15)
            old = gateways[turn % 2]
            assert old.stop() == 0
            gateways[turn % 2] = on_postgresql.serve(workers=1, port=old.port)
            # nginx takes it into use again.
            time.sleep(PASSED_OVER)
        answered(history, 15)
    check(on_postgresql, history)
    counts = history.counts()
    assert (counts["unavailable"], counts["lost"]) == (0, 0), [
        c for c in history.calls if not c.is_success and not c.is_refusal
    ][:5]
    figures(restarts=4, **counts)


def test_r19_new_keys_under_load(on_sqlite: Installation, figures: Figures) -> None:
    """R19: a relying party that read the keys once verifies every token before and after two keys
    were rotated."""
    on_sqlite.fill()
    on_sqlite.settings |= {"IDP_KEY_PUBLISH_LEAD": "0", "IDP_KEY_CACHE": "1"}
    gateway = on_sqlite.serve()
    on_sqlite.work()
    client = Client(0, [gateway.port], on_sqlite, History(on_sqlite.folder / "other"))
    keys = KeySet.import_key_set(json.loads(client.send("GET", "/oauth2/v1/keys").body))
    with load(on_sqlite, [gateway.port], mix=(("machine", 3), ("refresh", 1))) as history:
        answered(history, 15)
        for alg in ("ES256", "RS256"):
            on_sqlite.run("key", "rotate", "--alg", alg)
            answered(history, 15)
    check(on_sqlite, history)
    kids = set()
    for call in history.calls:
        if token := call.got.get("access_token"):
            verified = jwt.decode(token, keys, algorithms=["ES256", "RS256"])
            kids.add(verified.header["kid"])
    assert len(kids) == 2
    assert history.counts()["unavailable"] == 0
    figures(keys=len(kids), **history.counts())
