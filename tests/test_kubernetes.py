"""``deploy/kubernetes/``: what is named exists, and no container may do more than it needs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from flask import Flask

from idp.web import pages
from registration.app import create_app
from registration.settings import Settings as RegistrationSettings
from tests.test_deploy import DEPLOY, PROGRAMS, Program

FOLDER = DEPLOY / "kubernetes"
BASE = FOLDER / "base"
OVERLAYS = ("production", "sandbox")
SECRETS = "/etc/ieso-gateway/secrets/"


def _objects(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))


ALL = [
    one
    for file in sorted(BASE.glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for one in _objects(file)
]


def _pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each object that has pods, and their template."""
    for one in ALL:
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield one, spec["template"]


PODS = {one["metadata"]["name"]: template for one, template in _pods()}
pods = pytest.mark.parametrize("name", PODS)


def _container(name: str) -> dict[str, Any]:
    (container,) = PODS[name]["spec"]["containers"]
    return dict(container)


def _program(name: str) -> Program:
    return PROGRAMS[(_container(name).get("command") or ["gateway"])[0]]


def _options(name: str) -> dict[str, Any]:
    """The command line as the program understands it."""
    command: click.Command = _program(name).main
    words = _container(name)["args"]
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found, words
        command, words = found, words[1:]
    return command.make_context(name, [*words]).params


def _variables(overlay: str, name: str) -> dict[str, str]:
    """The ConfigMap of a program: the lines of the base and of an overlay."""
    found: dict[str, str] = {}
    for folder in (BASE, FOLDER / "overlays" / overlay):
        for line in (folder / f"{name}.env").read_text().splitlines():
            if not line.startswith("#"):
                key, _, value = line.partition("=")
                found[key] = value
    return found


def test_there_are_pages_worker_upgrade_and_purge() -> None:
    assert sorted(PODS) == [
        "gateway", "gateway-purge", "gateway-upgrade", "gateway-worker",
        "registration", "registration-upgrade", "registration-worker",
    ]  # fmt: skip


@pods
def test_ports_are_those_of_the_command(name: str) -> None:
    """The command exists with its options; pods listen where Service, probes and Prometheus ask."""
    options, container = _options(name), _container(name)
    ports = {one["name"]: one["containerPort"] for one in container.get("ports", ())}
    listening = {"http": "port", "metrics": "metrics_port", "monitoring": "health_port"}
    assert ports == {key: options[value] for key, value in listening.items() if value in options}
    for option in ("host", "metrics_host", "health_host"):
        assert options.get(option, "0.0.0.0") == "0.0.0.0"  # noqa: S104
    if ports:
        scraped = PODS[name]["metadata"]["annotations"]["prometheus.io/port"]
        assert int(scraped) == ports.get("metrics", ports.get("monitoring"))


@pods
def test_containers_may_do_no_more_than_they_need(name: str) -> None:
    """Not root, nothing to gain, nothing to write but /tmp, no token of the cluster; this is what
    the label of the namespace demands (Pod Security Standards, restricted)."""
    spec, container = PODS[name]["spec"], _container(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert (
        f"USER {spec['securityContext']['runAsUser']}:"
        in (DEPLOY.parent / "Dockerfile").read_text()
    )
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [one for one in container["volumeMounts"] if not one.get("readOnly")]
    assert writable == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert volumes["tmp"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}
    assert set(volumes) == {"tmp", "secrets"}
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert set(container["resources"]["limits"]) == {"memory"}
    assert "env" not in container


def _routes(name: str, folder: Path) -> set[str]:
    """Paths that a process answers."""
    if "worker" in name:
        return {"/healthz"}
    if name == "registration":
        settings = RegistrationSettings(
            secret_key="x" * 32, database_url=f"sqlite:///{folder}/a.db"
        )
        return {str(rule) for rule in create_app(settings).url_map.iter_rules()}
    app = Flask(__name__)
    app.register_blueprint(pages.blueprint(demo=False))
    return {str(rule) for rule in app.url_map.iter_rules()}


@pytest.mark.parametrize("name", [name for name in PODS if "ports" in _container(name)])
def test_probes_ask_for_pages_that_exist(name: str, tmp_path: Path) -> None:
    """Ready is who has a database; alive is who answers, so that no outage of the database starts
    processes again (R07). Pages answer to their own name only."""
    container, routes = _container(name), _routes(name, tmp_path)
    probes = {key: one["httpGet"] for key, one in container.items() if key.endswith("Probe")}
    pages_of = {"startupProbe": "/healthz", "livenessProbe": "/healthz"}
    if "worker" not in name:
        pages_of["readinessProbe"] = "/readyz"
    assert {key: one["path"] for key, one in probes.items()} == pages_of
    assert set(pages_of.values()) <= routes
    for probe in probes.values():
        assert probe["port"] in {one["name"] for one in container["ports"]}
        assert [one["name"] for one in probe.get("httpHeaders", ())] == ["Host"] * (
            "worker" not in name
        )


@pytest.mark.parametrize("name", ["gateway", "registration"])
def test_r18_running_requests_are_finished(name: str) -> None:
    """R18: a pod ends after the proxies know, and after what serve waits for; its successor is
    ready before."""
    spec = PODS[name]["spec"]
    (word, seconds) = _container(name)["lifecycle"]["preStop"]["exec"]["command"]
    drain = _options(name).get("stop_seconds", 10)
    assert word == "sleep"
    assert spec["terminationGracePeriodSeconds"] >= int(seconds) + drain + 5
    (deployment,) = [
        one for one in ALL if (one["kind"], one["metadata"]["name"]) == ("Deployment", name)
    ]
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_keys_are_published_by_pods_that_are_not_ready() -> None:
    """R07: keys and discovery are answered while the database is away."""
    services = {one["metadata"]["name"]: one["spec"] for one in ALL if one["kind"] == "Service"}
    assert services["gateway-published"] == services["gateway"] | {"publishNotReadyAddresses": True}


def _selected(labels: dict[str, str]) -> set[str]:
    return {
        name for name, pod in PODS.items() if labels.items() <= pod["metadata"]["labels"].items()
    }


def test_objects_select_pods_that_exist() -> None:
    """Services, disruption budgets and autoscalers; each lasting process has a budget."""
    budgets = set()
    for one in ALL:
        name, spec = one["metadata"]["name"], one.get("spec", {})
        if one["kind"] == "Service":
            assert _selected(spec["selector"]) == {name.removesuffix("-published")}
        elif one["kind"] == "PodDisruptionBudget":
            assert _selected(spec["selector"]["matchLabels"]) == {name}
            budgets.add(name)
        elif one["kind"] == "HorizontalPodAutoscaler":
            assert spec["scaleTargetRef"]["name"] == name
            assert "cpu" in _container(name)["resources"]["requests"]
        elif one["kind"] == "Deployment":
            assert _selected(spec["selector"]["matchLabels"]) == {name}
    assert budgets == {name for name in PODS if "ports" in _container(name)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_networks_are_closed_but_for_named_ports(overlay: str) -> None:
    """A policy for all pods forbids everything; ports of the others are those of containers."""
    folder = FOLDER / "overlays" / overlay
    policies = [one for one in ALL if one["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in [
        one["spec"] for one in policies
    ]
    names = {port["name"] for name in PODS for port in _container(name).get("ports", ())}
    for one in policies + _objects(folder / "networks.yaml"):
        for direction, peer in (("ingress", "from"), ("egress", "to")):
            for rule in one["spec"].get(direction, ()):
                assert rule[peer], one["metadata"]["name"]
                assert rule["ports"], one["metadata"]["name"]
                ports = {port["port"] for port in rule["ports"]}
                assert ports <= (names if direction == "ingress" else ports)


@pytest.mark.parametrize("folder", [BASE, *(FOLDER / "overlays" / one for one in OVERLAYS)])
def test_kustomizations_name_every_file(folder: Path) -> None:
    """No file is left out; secrets are none of them."""
    text = (folder / "kustomization.yaml").read_text()
    (kustomization,) = _objects(folder / "kustomization.yaml")
    files = {one.name for one in folder.iterdir()} - {"kustomization.yaml"}
    named = {one for one in kustomization["resources"] if "/" not in one}
    for generator in kustomization["configMapGenerator"]:
        named |= set(generator["envs"])
    assert files == named
    assert "secretGenerator" not in text
    assert all(one["kind"] != "Secret" for one in ALL)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_settings_are_accepted(name: str, overlay: str, tmp_path: Path) -> None:
    """With the secrets of new-secrets and a URL of Redis, the program starts in each environment.
    A variable that is no setting would be ignored, so each must be one."""
    program, variables = PROGRAMS[name], _variables(overlay, name)
    fields = {f"{program.prefix}{field.upper()}" for field in program.settings.__dataclass_fields__}
    assert {key for key in variables if not key.endswith("_FILE")} <= fields
    files = {key: value for key, value in variables.items() if key.endswith("_FILE")}
    assert set(files) <= program.secrets
    shutil.copy(DEPLOY / "new-secrets", tmp_path)
    (tmp_path / "secrets").mkdir()
    subprocess.run(["sh", tmp_path / "new-secrets"], check=True, capture_output=True)
    (tmp_path / "secrets" / "redis_url").write_text("redis://redis.internal:6379/0\n")
    for key, path in files.items():
        assert path.startswith(SECRETS)
        assert (tmp_path / "secrets" / path.removeprefix(SECRETS)).exists(), key
        variables[key] = path.replace(SECRETS, f"{tmp_path}/secrets/")
    settings = program.settings.from_environ(variables)
    assert settings.environment == overlay
    if name == "gateway":
        assert settings.trusted_proxies
