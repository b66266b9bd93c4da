"""What the Kubernetes manifests say of Kafka: its topics, who may do what, who shows which certificate."""

from pathlib import Path

from schemas.topics import TOPICS
from services.aggregator.settings import Settings
from services.notifier.consumer import GROUP
from tests.deploy.manifests import EACH, PORTS, built, named, of, pods, settings_of

_FILES = ("ca_file", "cert_file", "key_file")


@EACH
def test_topics_are_those_of_the_code(overlay: str) -> None:
    declared = {topic["spec"]["topicName"]: topic for topic in of(overlay, "KafkaTopic")}

    assert list(declared) == sorted(topic.name for topic in TOPICS)
    for topic in TOPICS:
        spec = declared[topic.name]["spec"]
        assert spec["config"] == topic.settings
        assert spec["partitions"] == settings_of(overlay)["kafka"]["partitions"]
        assert "replicas" not in spec  # Kafka's own default: one in the demo, three in production
        assert declared[topic.name]["metadata"]["labels"] == {"strimzi.io/cluster": "vigie"}


@EACH
def test_users_may_do_in_kafka_what_the_code_does(overlay: str) -> None:
    users = {user["metadata"]["name"]: user["spec"] for user in of(overlay, "KafkaUser")}

    assert set(users) == {f"vigie-user-{name}" for name in PORTS}
    for name in PORTS:
        acls = users[f"vigie-user-{name}"]["authorization"]["acls"]
        allowed = {
            acl["resource"]["name"]: set(acl["operations"]) - {"Describe"}
            for acl in acls
            if acl["resource"]["type"] == "topic"
        }
        assert allowed == {
            topic.name: {
                operation
                for operation, who in (("Read", topic.readers), ("Write", topic.writers))
                if name in who
            }
            for topic in TOPICS
            if name in (*topic.readers, *topic.writers)
        }
        assert all("Describe" in acl["operations"] for acl in acls)
        assert all(acl["resource"]["patternType"] == "literal" for acl in acls)
    groups = {
        name: [
            acl["resource"]["name"]
            for acl in spec["authorization"]["acls"]
            if acl["resource"]["type"] == "group"
        ]
        for name, spec in users.items()
    }
    assert groups["vigie-user-aggregator"] == [Settings(kafka="", address="", data=Path()).group]
    assert groups["vigie-user-notifier"] == [GROUP]
    assert groups["vigie-user-ingest"] == groups["vigie-user-api"] == []


@EACH
def test_a_service_shows_the_certificate_of_its_own_user_where_the_settings_look_for_it(overlay: str) -> None:
    kafka = named(overlay, "Kafka", "vigie")["spec"]["kafka"]
    assert kafka["authorization"] == {"type": "simple"}
    (listener,) = kafka["listeners"]
    assert (listener["tls"], listener["authentication"]) == (True, {"type": "tls"})
    users = {user["metadata"]["name"]: user["spec"] for user in of(overlay, "KafkaUser")}
    settings = settings_of(overlay)["kafka"]
    for name, pod in pods(overlay):
        user = f"vigie-user-{name}"
        assert users[user]["authentication"] == {"type": "tls"}
        found = {
            f"/{each['path']}": (source["secret"]["name"], each["key"])
            for volume in pod["volumes"]
            for source in volume.get("projected", {}).get("sources", ())
            for each in source["secret"]["items"]
        }
        (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "kafka"]
        looked_for = {setting: settings[setting].removeprefix(mount["mountPath"]) for setting in _FILES}
        assert {setting: found[path] for setting, path in looked_for.items()} == {
            "ca_file": ("vigie-cluster-ca-cert", "ca.crt"),
            "cert_file": (user, "user.crt"),
            "key_file": (user, "user.key"),
        }


@EACH
def test_kafka_has_as_many_copies_as_nodes(overlay: str) -> None:
    kafka = named(overlay, "Kafka", "vigie")["spec"]["kafka"]
    nodes = named(overlay, "KafkaNodePool", "node")["spec"]

    copies = kafka["config"]["default.replication.factor"]
    assert copies == nodes["replicas"] == {"demo": 1, "production": 3}[overlay]
    assert kafka["config"]["min.insync.replicas"] == kafka["config"]["transaction.state.log.min.isr"]
    assert kafka["config"]["min.insync.replicas"] == max(1, copies - 1)
    assert kafka["config"]["auto.create.topics.enable"] == "false"
    assert set(nodes["resources"]["limits"]) == {"cpu", "memory"}


def test_without_strimzi_s_kafka_no_pod_waits_for_its_secrets() -> None:
    volumes = [
        volume
        for each in built("base")
        if each["kind"] in ("Deployment", "StatefulSet")
        for volume in each["spec"]["template"]["spec"]["volumes"]
    ]

    assert len(volumes) > len(PORTS)
    assert all("projected" not in volume for volume in volumes)
