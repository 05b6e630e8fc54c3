"""The alert rules and the dashboard in ``deploy/observability``."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from idp.serving import metric_sources
from service_base import metrics
from service_base.certificate_expiry import CertificateExpiry
from service_base.worker_threads import WorkerThreads
from tests.monitoring import exposed
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "observability"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def promtool(*words: str) -> str:
    """What Prometheus' own tool says; a failure is the test's."""
    program = shutil.which("promtool") or ROOT / "build" / "promtool"
    if not Path(program).exists() and not os.environ.get("CI"):
        pytest.skip("no promtool: make promtool")
    done = subprocess.run([program, *words], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names_in(text: str, namespace: str) -> set[str]:
    """The metrics of a namespace that these expressions name."""
    return set(re.findall(rf"\b{namespace}_\w+", text))


def asked_for(namespace: str) -> set[str]:
    """The metrics that the rules and the dashboard name."""
    board = json.loads((FOLDER / "dashboard.json").read_text())
    targets = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    patterns = [rule["expr"].replace("(gateway|registration)", namespace) for rule in RULES]
    return names_in("\n".join([*targets, *patterns]), namespace)


def test_each_alert_fires_in_a_test_of_its_own_and_none_where_all_is_well() -> None:
    """By ``promtool test rules``; each has a test under its name, and a line in the manual."""
    promtool("test", "rules", "alerts.test.yml")
    promtool("check", "config", "prometheus.yml")
    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    names = [rule["alert"] for rule in RULES]
    assert {test["name"] for test in tests} == {"all is well", *names}
    assert max(Counter(names).values()) == 1
    manual = (ROOT / "docs" / "operations.md").read_text()
    assert [name for name in names if f"| `{name}` |" not in manual] == []


def test_the_gateway_exposes_what_rules_and_dashboard_name(world: World) -> None:
    """A metric that was renamed makes an alert silent."""
    with exposed.counting():
        text = exposed.text(
            {
                "database": lambda: metric_sources.read_database(world.worker_runtime),
                "threads": WorkerThreads(object(), {"mail": {}}, interval=1).readings,
                "processes": lambda: [
                    *metrics.Processes(os.getpid()).read(), metrics.connections_limit(1),
                ],
                "disk": lambda: metrics.disk_space({"here": "."}),
                "certificate": CertificateExpiry("https://a.test", lambda *_: 1.0).read,
            }
        )  # fmt: skip
    asked = asked_for("gateway")
    assert len(asked) > 30
    assert asked - exposed.names(text) == set()
