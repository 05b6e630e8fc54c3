"""Two hosts behind nginx, each in a network namespace of its own, on PostgreSQL and Redis of two
more: what they share, one of them without power, and an upgrade of one after the other (I1 to I7,
R01, R11, R17)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.faults.balancer import PASSED_OVER, nginx_before
from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History, answered, longest, recovered_after
from tests.faults.hosts import HOSTS_ONLY, Network, own_network
from tests.faults.installation import ROOT, Installation, Process, settings_of
from tests.faults.load import MIX, Client, load
from tests.faults.servers import Host, missing, own_postgresql, own_redis
from tests.faults.test_redis import LIMIT, attempts
from tests.world import Rp

pytestmark = HOSTS_ONLY
WITH_DENIALS = (*MIX, ("suspend", 1))
#: Seconds until nothing waits for a host without power any more: nginx and PostgreSQL notice it.
FORGOTTEN = 60.0


@dataclass
class Hosts:
    """The network, and what is in it. The installation has tables, and neither people nor processes
    yet."""

    network: Network
    first: Host
    second: Host
    proxy: Host
    installation: Installation

    def serve(self, **changes: str) -> list[Process]:
        """The gateway on both hosts."""
        return [self.installation.serve(host=h, **changes) for h in (self.first, self.second)]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with own_network() as network:
        first, second, proxy, data, counts = map(
            network.host, ("first", "second", "proxy", "data", "counts")
        )
        # A host that does not confirm what was sent to it is given up after 13 seconds.
        tell = "echo 5 > /proc/sys/net/ipv4/tcp_retries2"
        subprocess.run([*proxy.prefix, "sh", "-c", tell], check=True)
        with own_postgresql(data) as postgresql, own_redis(counts) as redis:
            postgresql.execute("CREATE DATABASE gateway")
            url = f"redis://{counts.address}:{redis.port}/0"
            settings = settings_of(postgresql.url("gateway"), url)
            settings["IDP_TRUSTED_PROXIES"] = f"{proxy.address}/32"
            made = Installation(tmp_path, settings)
            try:
                yield Hosts(network, first, second, proxy, made)
            finally:
                made.stop()


def test_two_hosts_share_sign_ins_limits_and_what_is_spent(hosts: Hosts, figures: Figures) -> None:
    """I3, R11: each request of a client goes to the other host. A sign-in begins on one and ends on
    the other; both together allow the limit; of a code that both get at once one redeems it, and a
    refresh token has one successor."""
    made = hosts.installation
    made.run("db", "upgrade")
    made.fill()
    addresses = [g.address for g in hosts.serve(IDP_SIGNIN_LIMIT=f"{LIMIT} per hour")]
    made.work(host=hosts.first)
    history = History(made.folder / "history.jsonl")
    client = Client(0, addresses, made, history)
    # An even number of requests so far: the page is of the first host, the password goes to the
    # second one, the code is of the first one and is redeemed at the second one.
    assert client.sign_in()
    assert client.turn % 2 == 0
    code = client.authorize()
    assert client.redeem(code).status == 200
    assert client.refresh()
    assert client.userinfo()

    # The same secret at both hosts at the same moment.
    pair = [replace(client, ports=[a], cookies=dict(client.cookies)) for a in addresses]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            code = client.authorize()
            redeemed = list(pool.map(Client.redeem, pair, [code] * 2))
            assert sorted(c.status or 0 for c in redeemed) == [200, 400]
            # The second use of a code ends what the first one got; another grant is rotated.
            assert client.redeem(client.authorize()).status == 200
            for each in pair:
                each.refresh_token = client.refresh_token
            assert all(pool.map(Client.refresh, pair))
            client.refresh_token = pair[0].refresh_token
    check(made, history)
    found = attempts(client, LIMIT + 4)
    # One password was right.
    assert found[400] == LIMIT - 1
    figures(allowed=found[400] + 1, **history.counts())


def test_r01_a_host_without_power_under_load(
    hosts: Hosts, tmp_path: Path, figures: Figures
) -> None:
    """R01, I1 to I7: its network ends and its processes are killed, so that no connection is
    closed. nginx and PostgreSQL give up what waits for it, and the other host answers."""
    made = hosts.installation
    made.run("db", "upgrade")
    made.fill(victims=6)
    gateways = hosts.serve()
    workers = [made.work(host=hosts.first), made.work(host=hosts.second)]
    with (
        nginx_before(tmp_path, [g.address for g in gateways], hosts.proxy) as address,
        load(made, [address], clients=6, mix=WITH_DENIALS) as history,
    ):
        answered(history, 40)
        hosts.network.unplug(hosts.second)
        gateways[1].kill()
        workers[1].kill()
        moment = time.time()
        time.sleep(FORGOTTEN)
        later = time.time()
        answered(history, 60)
    check(made, history)
    after = history.since(later)
    assert all(c.is_success or c.is_refusal for c in after), after[:3]
    during = history.since(moment - 1, later)
    figures(healed=recovered_after(history, moment), slowest=longest(during),
            slowest_later=longest(after), **history.counts())  # fmt: skip


@dataclass
class Release:
    """An older release: its wheel, unpacked, and its source."""

    source: Path
    code: Path

    def fill(self, installation: Installation) -> None:
        """Create clients and people by its own code, which knows its tables."""
        script = (
            "import json, sys; from pathlib import Path\n"
            "from tests.faults.installation import Installation\n"
            "made = Installation(Path(sys.argv[1]), json.loads(sys.argv[2]))\n"
            "made.fill(victims=6)\n"
            "clients = [[c.client_id, c.secret, c.redirect_uri] for c in (made.rp, made.pusher)]\n"
            "print(json.dumps([*clients, made.people, made.victims]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(installation.folder),
             json.dumps(installation.settings)],
            cwd=self.source, text=True, capture_output=True, check=True,
        )  # fmt: skip
        rp, pusher, installation.people, installation.victims = json.loads(
            done.stdout.splitlines()[-1]
        )
        installation.rp, installation.pusher = Rp(*rp), Rp(*pusher)


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The last release with a tag; without one, what was there before the last migration."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, text=True, capture_output=True, check=False
        )
        return done.stdout.strip()

    last = git("log", "-1", "--diff-filter=A", "--format=%H^", "--", "migrations/versions")
    commit = git("describe", "--tags", "--abbrev=0", "HEAD^") or last
    if not git("rev-parse", "--verify", "--quiet", commit):
        missing("the history of the repository is not here")
    folder = tmp_path_factory.mktemp("older")
    source, code = folder / "source", folder / "code"
    source.mkdir()
    archive = folder / "source.tar"
    git("archive", "--output", str(archive), commit)
    subprocess.run(["tar", "-xf", archive, "-C", source], check=True)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, source], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(code)
    return Release(source, code)


def test_r17_one_host_after_the_other_gets_a_new_release(
    hosts: Hosts, older: Release, tmp_path: Path, figures: Figures
) -> None:
    """R17, I1 to I7: the wheel of an older release serves on both hosts, goes on serving while the
    tables are upgraded and beside the new release, and then each host gets the new one. No request
    fails."""
    made = hosts.installation
    subprocess.run(
        [sys.executable, "-m", "idp.cli", "db", "upgrade"], cwd=older.code, env=made.environ(),
        check=True, capture_output=True,
    )  # fmt: skip
    older.fill(made)
    (version,) = made.rows("SELECT version_num FROM alembic_version")[0]
    pair = (hosts.first, hosts.second)
    gateways = [made.serve(host=h, code=older.code) for h in pair]
    workers = [made.work(host=h, code=older.code) for h in pair]
    with (
        nginx_before(tmp_path, [g.address for g in gateways], hosts.proxy) as address,
        load(made, [address], clients=4, pause=0.1, mix=WITH_DENIALS) as history,
    ):
        answered(history, 30)
        made.run("db", "upgrade")
        answered(history, 30)
        assert made.rows("SELECT version_num FROM alembic_version") != [(version,)]
        for number, host in enumerate(pair):
            assert gateways[number].stop() == 0
            assert workers[number].stop() == 0
            gateways[number] = made.serve(host=host, port=gateways[number].port)
            workers[number] = made.work(host=host)
            # nginx takes it into use again.
            time.sleep(PASSED_OVER)
            answered(history, 30)
    check(made, history)
    counts = history.counts()
    assert (counts["unavailable"], counts["lost"]) == (0, 0), [
        c for c in history.calls if not c.is_success and not c.is_refusal
    ][:5]
    figures(older=version, **counts)
