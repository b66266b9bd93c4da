"""The Kubernetes manifests as kustomize builds them, and how to find one in them."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
OVERLAYS = ("demo", "production")
PORTS = {"ingest": 8081, "api": 8080, "aggregator": 8082, "notifier": 8083}
EACH = pytest.mark.parametrize("overlay", OVERLAYS)

Resource = dict[str, Any]


@cache
def built(folder: str) -> list[Resource]:
    """What `kubectl apply -k` would send."""
    kubectl = Path(sys.executable).parent / "kubectl"
    done = subprocess.run([kubectl, "kustomize", FOLDER / folder], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def of(overlay: str, *kinds: str) -> list[Resource]:
    return [each for each in built(f"overlays/{overlay}") if each["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Resource:
    (found,) = [each for each in of(overlay, kind) if each["metadata"]["name"] == name]
    return found


def workloads(overlay: str) -> dict[str, Resource]:
    return {each["metadata"]["name"]: each for each in of(overlay, "Deployment", "StatefulSet")}


def pods(overlay: str) -> Iterator[tuple[str, Resource]]:
    for name, workload in workloads(overlay).items():
        yield name, workload["spec"]["template"]["spec"]


def settings_of(overlay: str) -> dict[str, Any]:
    """What every service reads."""
    (config,) = of(overlay, "ConfigMap")
    return tomllib.loads(config["data"]["vigie.toml"])
