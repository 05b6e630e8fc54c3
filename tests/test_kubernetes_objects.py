"""Both overlays of ``deploy/kubernetes/`` as ``kubectl`` builds them, against the schemas of the
oldest and the newest Kubernetes that the manual names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.test_kubernetes import FOLDER, OVERLAYS

ROOT = FOLDER.parents[1]
RELEASES = ("1.31", "1.37")
#: Mappings whose keys are the author's own words.
FREE = {"annotations", "data", "labels", "limits", "matchLabels", "requests", "selector"}

overlays = pytest.mark.parametrize("overlay", OVERLAYS)


@cache
def built(overlay: str) -> list[dict[str, Any]]:
    """What ``kubectl apply --kustomize`` sends to the cluster."""
    own = ROOT / "build" / "kubectl"
    program = own if own.exists() else shutil.which("kubectl")
    if program is None and not os.environ.get("CI"):
        pytest.skip("no kubectl: make kubectl")
    command = [program or own, "kustomize", FOLDER / "overlays" / overlay]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def refused(one: dict[str, Any], release: str = RELEASES[-1]) -> str:
    """What is wrong with an object; empty if nothing is."""
    try:
        kubernetes_validate.validate(one, release, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return f"{one['kind']} {one['metadata']['name']}: {error.message}"
    return ""


def mappings(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in an object the schema names each key."""
    if isinstance(node, dict):
        if not path or path[-1] not in FREE:
            yield path
        for key, value in node.items():
            yield from mappings(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from mappings(value, (*path, number))


@overlays
@pytest.mark.parametrize("release", RELEASES)
def test_the_cluster_accepts_every_object(overlay: str, release: str) -> None:
    """Names, types and required fields of each; an unknown field is a fault."""
    objects = built(overlay)
    assert {one["kind"] for one in objects} == {
        "ConfigMap", "CronJob", "Deployment", "HorizontalPodAutoscaler", "Job", "Namespace",
        "NetworkPolicy", "PodDisruptionBudget", "Service",
    }  # fmt: skip
    assert [said for one in objects if (said := refused(one, release))] == []
    manual = (ROOT / "docs" / "operations.md").read_text()
    assert f"the schemas of Kubernetes {' and '.join(RELEASES)}" in manual


def test_a_fault_anywhere_is_seen() -> None:
    """The check itself: a field that no release has, at each place of a deployment; wrong types,
    a missing name, and a kind that does not exist."""
    (good,) = [
        one
        for one in built("production")
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", "gateway")
    ]
    places = list(mappings(good))
    assert len(places) > 20
    for path in places:
        bad = deepcopy(good)
        node: Any = bad
        for step in path:
            node = node[step]
        node["notAField"] = "x"
        assert "notAField" in refused(bad), path
    assert "is not of type" in refused(good | {"spec": good["spec"] | {"replicas": "two"}})
    assert "'selector' is a required property" in refused(
        good | {"spec": {key: value for key, value in good["spec"].items() if key != "selector"}}
    )
    assert "find schema" in refused(good | {"apiVersion": "apps/v1beta1"})


@overlays
def test_an_overlay_reaches_every_object(overlay: str) -> None:
    """Its namespace, its image, and probes that ask for the public name."""
    objects = built(overlay)
    for one in objects:
        if one["kind"] != "Namespace":
            assert one["metadata"]["namespace"] == f"ieso-{overlay}"
    settings = {
        one["metadata"]["name"].rpartition("-")[0]: one["data"]
        for one in objects
        if one["kind"] == "ConfigMap"
    }
    public = {
        "gateway": settings["gateway"]["IDP_ISSUER"],
        "registration": settings["registration"]["REGISTRATION_URL"],
    }
    for one in objects:
        if one["kind"] == "Deployment":
            (container,) = one["spec"]["template"]["spec"]["containers"]
            assert container["image"].startswith("registry.example.com/ieso-gateway:")
            hosts = {
                header["value"]
                for name, probe in container.items()
                if name.endswith("Probe")
                for header in probe["httpGet"].get("httpHeaders", ())
            }
            name = one["metadata"]["name"]
            assert hosts == ({public[name].removeprefix("https://")} if name in public else set())
