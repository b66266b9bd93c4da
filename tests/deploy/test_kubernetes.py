"""The Kubernetes manifests, built by kustomize itself and judged by Kubernetes' own schemas."""

import json
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # its stubs are not in the lock
from referencing import Registry
from referencing import Resource as Schema

from schemas.config import HttpConfig, KafkaConfig
from schemas.topics import TOPICS
from services.runtime import options
from services.runtime.kafka import client
from tests.deploy.manifests import (
    EACH,
    FOLDER,
    PORTS,
    ROOT,
    Resource,
    built,
    named,
    of,
    pods,
    settings_of,
    workloads,
)

VERSIONS = {"demo": "1.31", "production": "1.37"}
"""Of Kubernetes: the oldest that knows all that is used, and the newest; what they judge is the same."""

LISTENING = {name: getattr(HttpConfig(), name).rpartition(":")[2] for name in PORTS}
_OURS = ("app.kubernetes.io/part-of", "vigie")
_FOREIGN = ("kafka.strimzi.io/v1", "monitoring.coreos.com/v1")


@pytest.mark.parametrize(("overlay", "version"), list(VERSIONS.items()))
def test_kubernetes_takes_every_resource_of_its_own(overlay: str, version: str) -> None:
    own = [each for each in built(f"overlays/{overlay}") if each["apiVersion"] not in _FOREIGN]

    assert len(own) > 15
    for resource in own:
        schema = json.loads(_schema(version, resource).read_text("utf-8"))
        errors = Draft202012Validator(schema, registry=_definitions(version)).iter_errors(resource)
        assert [(resource["metadata"]["name"], e.json_path, e.message[:300]) for e in errors] == []


@EACH
def test_everything_is_there_once(overlay: str) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in built(f"overlays/{overlay}")]

    assert len(names) == len(set(names))
    assert set(workloads(overlay)) == set(PORTS)
    assert all(each["metadata"].get("namespace") == "vigie" for each in _namespaced(overlay))


@EACH
def test_a_pod_can_do_no_more_than_it_must(overlay: str) -> None:
    assert named(overlay, "ServiceAccount", "vigie")["automountServiceAccountToken"] is False
    for name, pod in pods(overlay):
        assert pod["serviceAccountName"] == "vigie", name
        assert pod["automountServiceAccountToken"] is False, name
        who = pod["securityContext"]
        assert who["runAsNonRoot"] is True, name
        assert who["runAsUser"] == who["runAsGroup"] == who["fsGroup"] == 10001, name
        assert who["seccompProfile"] == {"type": "RuntimeDefault"}, name
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert all("hostPath" not in volume for volume in pod["volumes"]), name
        assert {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")} == {
            "/data",
            "/tmp",
        }


@EACH
def test_a_pod_says_what_it_needs_and_how_it_is(overlay: str) -> None:
    for name, pod in pods(overlay):
        (container,) = pod["containers"]
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}, name
        probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {kind: probe["path"] for kind, probe in probes.items()} == {
            "startup": "/health/live",
            "liveness": "/health/live",
            "readiness": "/health/ready",
        }
        assert container["ports"] == [{"name": "http", "containerPort": PORTS[name]}]
        assert int(LISTENING[name]) == PORTS[name]
        budget = named(overlay, "PodDisruptionBudget", name)
        assert budget["spec"]["maxUnavailable"] == 1
        assert _selects(budget["spec"]["selector"], workloads(overlay)[name])


@EACH
def test_a_service_is_run_as_its_command_line_wants_it(overlay: str, on_loopback: Path) -> None:
    for name, pod in pods(overlay):
        (container,) = pod["containers"]
        command, *words = container["args"]
        assert command == name
        local = {"/etc/vigie/vigie.toml": str(on_loopback), "$(SLOT)": "1"}
        told = options.parse(name, [local.get(word, word) for word in words])
        assert told.kafka.bootstrap == "vigie-kafka-bootstrap:9093"
        assert client(told.kafka)["security_protocol"] == "SSL"
        assert told.slot == (1 if name == "aggregator" else 0)


@EACH
def test_workers_keep_their_slot_and_are_no_more_than_partitions(overlay: str) -> None:
    aggregator = workloads(overlay)["aggregator"]
    (container,) = aggregator["spec"]["template"]["spec"]["containers"]

    assert aggregator["kind"] == "StatefulSet"
    (slot,) = container["env"]
    assert slot["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['apps.kubernetes.io/pod-index']"
    assert 1 <= aggregator["spec"]["replicas"] <= settings_of(overlay)["kafka"]["partitions"]


def test_production_survives_the_loss_of_one_of_what_people_reach() -> None:
    replicas = {name: each["spec"]["replicas"] for name, each in workloads("production").items()}

    assert replicas == {"ingest": 2, "aggregator": 2, "api": 2, "notifier": 1}
    assert {name: each["spec"]["replicas"] for name, each in workloads("demo").items()} == dict.fromkeys(
        PORTS, 1
    )


@EACH
def test_secrets_are_named_and_not_here(overlay: str) -> None:
    assert of(overlay, "Secret") == []
    named_secrets = {
        (name, volume["secret"]["secretName"])
        for name, pod in pods(overlay)
        for volume in pod["volumes"]
        if "secret" in volume
    }
    assert named_secrets == {("ingest", "vigie-ingest"), ("notifier", "vigie-notifier")}
    (ingest,) = dict(pods(overlay))["ingest"]["containers"]
    (key,) = ingest["env"]
    assert key["name"] == "VIGIE_PSEUDONYM_KEY"
    assert key["valueFrom"] == {"secretKeyRef": {"name": "vigie-ingest", "key": "pseudonym-key"}}


@EACH
def test_the_settings_listen_where_the_ports_are_and_open_to_nobody_yet(overlay: str) -> None:
    settings = settings_of(overlay)

    assert {name: settings["http"][name] for name in PORTS} == {n: f"0.0.0.0:{p}" for n, p in PORTS.items()}
    assert settings["kafka"]["partitions"] == KafkaConfig().partitions
    hashes = [key["hash"] for key in settings["auth"]["keys"]]
    assert all(re.fullmatch("0{62}[0-9a-f]{2}", each) for each in hashes)


@EACH
def test_our_network_policies_are_not_those_of_kafka(overlay: str) -> None:
    """Strimzi passes this label of its resources on to Kafka's pods, and they would be cut off."""
    strimzi = [each for each in built(f"overlays/{overlay}") if each["apiVersion"] == _FOREIGN[0]]

    assert len(strimzi) == 2 + len(TOPICS) + len(PORTS)
    assert all(_OURS[0] not in each["metadata"].get("labels", {}) for each in strimzi)


@EACH
def test_nobody_speaks_with_anybody_but_for_what_is_said(overlay: str) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of(overlay, "NetworkPolicy")}
    nothing = policies["vigie-nothing"]
    assert nothing == {"podSelector": {"matchLabels": dict([_OURS])}, "policyTypes": ["Ingress", "Egress"]}

    reached = {name: _from_namespaces(policies, workload) for name, workload in workloads(overlay).items()}
    assert reached == {
        "ingest": {"ingress-nginx", "monitoring"},
        "api": {"ingress-nginx", "monitoring"},
        "aggregator": {"monitoring"},
        "notifier": {"monitoring"},
    }
    leaving = {name: _ports_out(policies, workload) for name, workload in workloads(overlay).items()}
    kafka_and_names = {53, _kafka_port(overlay)}
    assert leaving == {
        "ingest": {*kafka_and_names, 5038},
        "api": kafka_and_names,
        "aggregator": kafka_and_names,
        "notifier": {*kafka_and_names, 443, 465, 587},
    }


@EACH
def test_the_services_lead_to_the_pods(overlay: str) -> None:
    for service in of(overlay, "Service"):
        name = service["metadata"]["name"]
        assert _selects({"matchLabels": service["spec"]["selector"]}, workloads(overlay)[name])
        assert service["spec"]["ports"] == [{"name": "http", "port": PORTS[name], "targetPort": "http"}]


def test_the_ingress_leads_to_the_services_with_tls() -> None:
    ingress = named("production", "Ingress", "vigie")["spec"]
    services = {each["metadata"]["name"] for each in of("production", "Service")}
    hosts = {rule["host"] for rule in ingress["rules"]}
    backends = {p["backend"]["service"]["name"] for rule in ingress["rules"] for p in rule["http"]["paths"]}

    assert backends == {"api", "ingest"} <= services
    assert hosts == set(ingress["tls"][0]["hosts"])


def test_the_prometheus_operator_gets_the_same_rules() -> None:
    rules, monitor = (
        next(each for each in built("monitoring") if each["kind"] == kind)["spec"]
        for kind in ("PrometheusRule", "PodMonitor")
    )
    ours = yaml.safe_load((ROOT / "deploy/prometheus/vigie.rules.yml").read_text("utf-8"))

    assert rules == ours
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    assert endpoint["relabelings"][0]["replacement"] == "vigie-$1"
    for workload in workloads("production").values():
        assert _selects(monitor["selector"], workload)


@pytest.fixture
def on_loopback(tmp_path: Path) -> Path:
    """The settings, listening on this machine only: elsewhere they would need keys that are in force.

    What stands in a pod's Secrets stands in a folder of files.
    """
    file = tmp_path / "vigie.toml"
    text = (FOLDER / "base/vigie.toml").read_text("utf-8").replace('"0.0.0.0:', '"127.0.0.1:')
    file.write_text(text.replace('"/run/secrets/kafka/', f'"{tmp_path}/'), "utf-8")
    for ours, theirs in (("ca.crt", "ca.pem"), ("user.crt", "operator.pem"), ("user.key", "key.pem")):
        (tmp_path / ours).write_bytes((ROOT / "tests/data/kafka" / theirs).read_bytes())
    return file


def _schema(version: str, resource: Resource) -> Path:
    """In the package kubernetes-validate, whose own function reads two megabytes for each resource."""
    group, _, number = resource["apiVersion"].rpartition("/")
    name = "-".join(part for part in (resource["kind"].lower(), group.partition(".")[0], number) if part)
    return _schemas(version) / f"{name}.json"


@cache
def _definitions(version: str) -> Registry[Any]:
    definitions: Any = json.loads((_schemas(version) / "_definitions.json").read_text("utf-8"))
    registry: Registry[Any] = Registry().with_resource(definitions["$id"], Schema.from_contents(definitions))
    return registry


def _schemas(version: str) -> Path:
    package = Path(str(resources.files("kubernetes_validate")))
    return package / "kubernetes-json-schema" / f"v{version}.0-local-strict"


def _namespaced(overlay: str) -> list[Resource]:
    return [each for each in built(f"overlays/{overlay}") if each["kind"] != "Namespace"]


def _selects(selector: Resource, workload: Resource) -> bool:
    labels = workload["spec"]["template"]["metadata"]["labels"]
    return set(selector["matchLabels"].items()) <= set(labels.items())


def _from_namespaces(policies: dict[str, Resource], workload: Resource) -> set[str]:
    return {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for policy in policies.values()
        if _selects(policy["podSelector"], workload)
        for rule in policy.get("ingress", [])
        for peer in rule["from"]
    }


def _ports_out(policies: dict[str, Resource], workload: Resource) -> set[int]:
    return {
        port["port"]
        for policy in policies.values()
        if _selects(policy["podSelector"], workload)
        for rule in policy.get("egress", [])
        for port in rule["ports"]
    }


def _kafka_port(overlay: str) -> int:
    (listener,) = named(overlay, "Kafka", "vigie")["spec"]["kafka"]["listeners"]
    assert listener["networkPolicyPeers"] == [{"podSelector": {"matchLabels": dict([_OURS])}}]
    assert f":{listener['port']}" in settings_of(overlay)["kafka"]["bootstrap"]
    return int(listener["port"])
