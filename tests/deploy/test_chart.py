"""The Helm chart as Helm renders it: valid, locked down, and in step with the compose file."""

import re
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy import compose
from tests.deploy.compose import OURS, ROOT
from tests.deploy.programs import program
from tests.deploy.test_files import OWN

CHART = ROOT / "deploy" / "helm" / "ecgstream"
KUBERNETES = "1.34.0"
WHOLE = ("--set", "producer.enabled=true", "--set", "detector.keda.enabled=true")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    found = program("helm")
    if found is None:
        pytest.skip("helm is not here: scripts/helm.sh brings it where Go is")
    return subprocess.run([found, *arguments], check=False, capture_output=True, text=True, timeout=60)


def rendered(*arguments: str) -> list[dict[str, Any]]:
    done = helm("template", "ecgstream", str(CHART), "--kube-version", KUBERNETES, *arguments)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def pods(*arguments: str) -> dict[str, dict[str, Any]]:
    """Pods' specifications by service."""
    templates = [each["spec"]["template"] for each in rendered(*arguments) if "template" in each.get("spec", {})]
    return {each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"] for each in templates}


def environment(pod: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in pod["containers"][0]["env"]}


def test_helm_finds_nothing_wrong() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_every_object_fits_the_schemas_of_kubernetes(version: str) -> None:
    built_in = [each for each in rendered(*WHOLE) if "keda" not in each["apiVersion"]]
    assert len(built_in) == len(rendered(*WHOLE)) - 1
    for each in built_in:
        kubernetes_validate.validate(each, version, strict=True)


def test_each_service_runs_as_in_the_compose_file() -> None:
    services, found = compose.services(), pods(*WHOLE)
    assert found.keys() == set(OURS)
    for name, pod in found.items():
        (container,) = pod["containers"]
        service = services[name]
        assert container["args"] == service["command"]
        limits = service["deploy"]["resources"]["limits"]
        assert container["resources"]["limits"]["memory"] == limits["memory"] + "i"  # Docker counts in 1024 too
        assert float(container["resources"]["limits"]["cpu"]) == float(limits["cpus"])
        assert pod["terminationGracePeriodSeconds"] == int(service["stop_grace_period"].removesuffix("s"))
        published = {port.rpartition(":")[2] for port in service.get("ports", [])}
        declared = {str(port["containerPort"]) for port in container.get("ports", [])}
        assert declared == ({*published, "9400"} if name != "topics" else set())
        (size,) = (v["emptyDir"]["sizeLimit"] for v in pod["volumes"] if v["name"] == "tmp")
        assert service["tmpfs"] == [f"/tmp:size={size.removesuffix('Mi')}m,mode=1777"]  # noqa: S108 # a mount


def test_every_setting_reaches_the_services_that_read_it_and_no_other() -> None:
    compose_file = yaml.safe_load(compose.FILE.read_text())["services"]
    read = {name: set(compose_file[name]["environment"]) for name in OURS}
    own = {f"ECGSTREAM_{each}" for each in OWN} | {"ECGSTREAM_INSTANCE"}
    every = sorted(set().union(*read.values()) - own)
    chosen = [word for name in every for word in ("--set-string", f"settings.{name}=7")]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    beside = [
        word
        for service in ("web", "gateway")
        for name in values[service]["settings"]
        for word in ("--set-string", f"{service}.settings.{name}=7")
    ]
    for name, pod in pods("--set", "producer.enabled=true", *chosen, *beside).items():
        found = environment(pod)
        assert {key for key, value in found.items() if value == "7"} == read[name] - own, name
        assert found.keys() - {"ECGSTREAM_HEALTH_HOST", "ECGSTREAM_HEALTH_PORT"} <= read[name], name


def test_a_setting_that_nobody_reads_is_refused() -> None:
    for given in ("settings.ECGSTREAM_DETECTOR_HOPS=5", "web.settings.ECGSTREAM_DETECTOR_SEED=5"):
        done = helm("template", "ecgstream", str(CHART), "--kube-version", KUBERNETES, "--set-string", given)
        assert done.returncode != 0
        assert re.search(r"reads (no )?ECGSTREAM_DETECTOR_(HOPS|SEED): see docs/operations.md", done.stderr)


def test_a_secret_is_named_and_its_value_stands_nowhere() -> None:
    found = environment(
        pods(
            *("--set", "detector.secrets.ECGSTREAM_SASL_PASSWORD.name=kafka-detector"),
            *("--set", "detector.secrets.ECGSTREAM_SASL_PASSWORD.key=password"),
        )["detector"]
    )
    assert found["ECGSTREAM_SASL_PASSWORD"] == {"secretKeyRef": {"name": "kafka-detector", "key": "password"}}


def test_every_pod_is_restricted() -> None:
    image_user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert image_user
    for pod in pods(*WHOLE).values():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == int(image_user[1])
        assert pod["securityContext"]["runAsGroup"] == int(image_user[2])
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_each_service_has_its_policy_and_what_takes_partitions_a_stable_name() -> None:
    objects = rendered(*WHOLE)
    policies = {each["metadata"]["name"] for each in objects if each["kind"] == "NetworkPolicy"}
    assert policies == {f"ecgstream-{name}" for name in OURS}
    budgets = {each["metadata"]["name"] for each in objects if each["kind"] == "PodDisruptionBudget"}
    assert budgets == {f"ecgstream-{name}" for name in ("detector", "alerting", "web", "gateway")}
    by_name = pods(*WHOLE)
    for name in ("detector", "alerting", "gateway"):
        assert environment(by_name[name])["ECGSTREAM_INSTANCE"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    stable = {each["metadata"]["name"] for each in objects if each["kind"] == "StatefulSet"}
    assert stable == {"ecgstream-detector", "ecgstream-alerting", "ecgstream-gateway"}


def test_detectors_are_scaled_by_a_metric_that_they_have_and_no_further_than_partitions() -> None:
    (scaling,) = (each for each in rendered(*WHOLE) if each["kind"] == "ScaledObject")
    query = scaling["spec"]["triggers"][0]["metadata"]["query"]
    metric = re.search(r"ecgstream_detector_(\w+)", query)
    assert metric
    assert f'gauge("{metric[1]}"' in (ROOT / "detector" / "metrics.py").read_text()
    assert scaling["spec"]["scaleTargetRef"]["name"] == "ecgstream-detector"
    done = helm("template", "x", str(CHART), "--kube-version", KUBERNETES, *WHOLE, "--set", "detector.keda.max=13")
    assert "detector.keda.max=13 is above ECGSTREAM_PARTITIONS=12" in done.stderr


def test_the_example_of_kafka_keeps_what_one_broker_loses() -> None:
    nodes, kafka = yaml.safe_load_all((ROOT / "deploy" / "strimzi" / "kafka.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())["settings"]
    config = kafka["spec"]["kafka"]["config"]
    assert nodes["spec"]["replicas"] == int(values["ECGSTREAM_REPLICATION"]) == config["default.replication.factor"]
    assert config["min.insync.replicas"] == config["transaction.state.log.min.isr"] == 2
    assert values["ECGSTREAM_BOOTSTRAP_SERVERS"] == f"{kafka['metadata']['name']}-kafka-bootstrap:9092"
