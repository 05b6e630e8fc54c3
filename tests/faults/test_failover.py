"""PostgreSQL with a synchronous standby, each on a host of its own: the primary's host is lost, the
standby is promoted, and clients go on (R09; I1 to I7)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import answered, recovered_after
from tests.faults.hosts import HOSTS_ONLY, own_network
from tests.faults.installation import Installation, settings_of
from tests.faults.load import MIX, load
from tests.faults.servers import OwnPostgreSQL, own_postgresql, wait_for

pytestmark = HOSTS_ONLY
WITH_DENIALS = (*MIX, ("suspend", 1))
#: Longer than a statement may take.
LONG = 25.0
#: What is answered without a commit.
READS = {"keys", "userinfo"}


def both(primary: OwnPostgreSQL, standby: OwnPostgreSQL) -> str:
    """The setting for two servers, as docs/operations.md has it."""
    return (
        f"postgresql+psycopg://postgres@/gateway?host={primary.address}&host={standby.address}"
        "&target_session_attrs=read-write"
    )


def make_synchronous(primary: OwnPostgreSQL) -> None:
    """Each commit waits for the standby from now on."""
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary.execute("SELECT pg_reload_conf()")
    state = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
    wait_for(lambda: primary.execute(state), 30, "the standby")


@pytest.mark.parametrize("away", [0.0, LONG], ids=["copied", "not-copied"])
def test_r09_the_host_of_the_primary_is_lost(tmp_path: Path, figures: Figures, away: float) -> None:
    """R09, I1 to I7: without power, so that it closes no connection. What was acknowledged is on
    the standby, also if that had lost its network before: nothing is acknowledged meanwhile. No
    code and no refresh token is spent twice."""
    with (
        own_network() as network,
        own_postgresql(network.host("primary")) as primary,
    ):
        primary.execute("CREATE DATABASE gateway")
        made = Installation(tmp_path, settings_of(primary.url("gateway")))
        made.run("db", "upgrade")
        made.fill(victims=9)
        with own_postgresql(network.host("standby"), primary) as standby:
            make_synchronous(primary)
            made.settings["IDP_DATABASE_URL"] = both(primary, standby)
            host = network.host("gateway")
            try:
                gateway = made.serve(host=host)
                made.work(host=host)
                with load(made, [gateway.address], mix=WITH_DENIALS) as history:
                    answered(history, 40)
                    cut = time.time()
                    if away:
                        network.unplug(standby.host)
                        time.sleep(away)
                    meanwhile = [c for c in history.since(cut + 2) if c.is_success]
                    network.unplug(primary.host)
                    primary.kill()
                    lost = time.time()
                    network.plug(standby.host)
                    standby.promote()
                    answered(history, 60)
                made.settings["IDP_DATABASE_URL"] = standby.url("gateway")
                check(made, history)
            finally:
                made.stop()
    assert {c.name for c in meanwhile} <= READS, meanwhile
    figures(healed=recovered_after(history, lost), **history.counts())
