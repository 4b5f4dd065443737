"""Dockerfile and compose file: well formed, locked down, and in step with the project."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from alerting.delivery.apprise_channel import AppriseChannel
from alerting.delivery.channels import load_channels
from alerting.settings import AlertingSettings
from bus.settings import KafkaSettings
from detector.settings import DetectorSettings
from ecgstream.certificates import make_certificates
from ecgstream.settings import COMPOSE, RENAMED, ClientSettings, ProcessSettings, _variable, kinds
from gateway.settings import GatewaySettings
from producer.settings import FaultSettings, ReplaySettings
from tests.deploy import compose
from tests.deploy.compose import OURS, ROOT
from tests.deploy.programs import program, run
from web.settings import WebSettings

SERVICES = compose.services()


def the(name: str) -> str:
    """A program that the dev extra brings."""
    found = program(name)
    assert found, f"{name} is missing: run 'make setup-dev'"
    return found


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    run(the("hadolint"), "Dockerfile")


def test_the_compose_file_fits_the_compose_specification() -> None:
    run(the("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", compose.FILE)


def test_the_secured_compose_file_fits_it_too(tmp_path: Path) -> None:
    merged = tmp_path / "docker-compose.json"
    merged.write_text(json.dumps(compose.load(secure=True)))
    run(the("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", merged)


def test_every_secret_is_made_by_the_command_and_every_one_made_is_used(tmp_path: Path) -> None:
    secured = compose.load({"ECGSTREAM_COMPOSE_SECURE": "/made"}, secure=True)
    declared = {name: secret["file"] for name, secret in secured["secrets"].items()}
    assert set(make_certificates(tmp_path / "secure", hosts=["kafka"], days=1)) == set(declared)
    assert declared == {name: f"/made/{name}" for name in declared}
    used = {name: service.get("secrets", []) for name, service in secured["services"].items()}
    assert {secret for secrets in used.values() for secret in secrets} == set(declared)
    assert [name for name, secrets in used.items() if "admin.pem" in secrets] == ["topics"]
    for name in OURS:
        mounted = re.findall(
            r"/run/secrets/(\S+)", " ".join(map(str, secured["services"][name]["environment"].values()))
        )
        assert set(mounted) <= set(used[name])


def test_secured_every_client_of_kafka_speaks_tls_and_shows_who_it_is() -> None:
    services = compose.load(secure=True)["services"]
    for name in OURS:
        environment = services[name]["environment"]
        by = {"SASL_SSL": "ECGSTREAM_SASL_PASSWORD", "SSL": "ECGSTREAM_SSL_CERTFILE"}
        assert by[environment["ECGSTREAM_SECURITY_PROTOCOL"]] in environment
    protocols = services["kafka"]["environment"]["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    assert {each.partition(":")[2] for each in protocols} == {"SSL", "SASL_SSL"}


def test_variables_are_replaced_as_compose_does() -> None:
    command = compose.load({"ECGSTREAM_COMPOSE_RECORD": "100"})["services"]["producer"]["command"]
    assert command[:5] == ["replay", "--record", "100", "--patients", "1"]


def test_compose_reads_the_old_names_of_its_variables_too() -> None:
    for new, old in ((new, old) for old, new in RENAMED.items() if new in COMPOSE):
        before, now = compose.load({old: "7"}), compose.load({new: "7", old: "8"})
        assert compose.load() != before == now


def rooms() -> list[str]:
    """The packages that the wheel holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return packages


@pytest.mark.parametrize("room", rooms())
def test_every_room_says_that_it_is_typed(room: str) -> None:
    assert (ROOT / room / "py.typed").read_bytes() == b""


def test_the_image_is_built_from_every_package() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text().splitlines()
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    for room in rooms():
        assert f"COPY {room} {room}" in dockerfile
        assert f"!{room}" in let_in
    copied = [line.split()[1:-1] for line in dockerfile if line.startswith("COPY ") and "--from" not in line]
    for source in (word for arguments in copied for word in arguments):
        assert f"!{source}" in let_in, f"{source} is copied and .dockerignore keeps it out"


def test_the_image_has_no_torch() -> None:
    lock = (ROOT / "requirements" / "run.lock").read_text()
    assert "aiokafka==" in lock
    assert "\ntorch==" not in lock


def test_the_image_runs_as_nobody_in_particular() -> None:
    users = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("USER ")]
    assert users == ["USER 10001:10001"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_locked_down_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"]
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert not service.get("privileged")
    # Kafka's image writes its configuration at the start, see the compose file.
    assert service.get("read_only", False) is (name != "kafka")


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_bound_to_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in OURS])
def test_images_are_pinned_to_a_version_and_its_digest(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:v?[0-9][0-9.a-z-]+@sha256:[0-9a-f]{64}", SERVICES[name]["image"])


def test_one_service_builds_the_image_and_nobody_looks_for_it_elsewhere() -> None:
    policies = {name: (SERVICES[name].get("build"), SERVICES[name]["pull_policy"]) for name in OURS}
    assert policies.pop("topics") == (".", "build")
    assert set(policies.values()) == {(None, "never")}


# Chosen by the compose file, since they are addresses and places within its network and its containers.
OWN = {
    "BOOTSTRAP_SERVERS",
    "HEALTH_HOST",
    "HEALTH_PORT",
    "WEB_HOST",
    "WEB_PORT",
    "GATEWAY_HOST",
    "GATEWAY_PORT",
    "DATA_DIR",
}
READS: dict[str, tuple[type[BaseSettings], ...]] = {
    "topics": (ProcessSettings, KafkaSettings),
    "detector": (ProcessSettings, KafkaSettings, DetectorSettings),
    "alerting": (ProcessSettings, KafkaSettings, AlertingSettings),
    "web": (ProcessSettings, KafkaSettings, DetectorSettings, AlertingSettings, WebSettings),
    "gateway": (ProcessSettings, KafkaSettings, GatewaySettings),
    "producer": (ProcessSettings, KafkaSettings, ReplaySettings, FaultSettings),
}


@pytest.mark.parametrize("name", OURS)
def test_every_setting_reaches_the_services_that_read_it_and_no_other(name: str) -> None:
    read = {_variable(kind, field) for kind in READS[name] for field in kind.model_fields}
    if name == "web":
        read.discard("ECGSTREAM_INSTANCE")  # of the services that take partitions
    own = {f"ECGSTREAM_{each}" for each in OWN}
    chosen = dict.fromkeys(read - own, "7")
    environment = compose.load(chosen)["services"][name]["environment"]
    assert {variable for variable, value in environment.items() if value == "7"} == read - own
    assert environment.keys() <= read
    assert compose.load()["services"][name]["environment"].get("ECGSTREAM_PARTITIONS") is None


def test_every_class_of_settings_is_read_by_a_service() -> None:
    assert {kind for read in READS.values() for kind in read} == set(kinds()) - {ClientSettings}  # of a command


def test_an_empty_environment_leaves_what_nobody_chose_to_the_services() -> None:
    for name in OURS:
        assert all(value for value in compose.load()["services"][name]["environment"].values())


def test_alarms_are_delivered_to_the_mail_catcher_as_shipped() -> None:
    alerting = SERVICES["alerting"]
    mounts = dict(mount.split(":")[1::-1] for mount in alerting["volumes"])
    inside = Path(alerting["environment"]["ECGSTREAM_ALERTING_CHANNELS"])
    channels = load_channels(ROOT / mounts[str(inside.parent)] / inside.name)
    (url,) = (each.url.get_secret_value() for each in channels.values() if isinstance(each, AppriseChannel))
    assert url.startswith("mailto://mailpit:1025/")


def test_all_is_there_unless_devices_come() -> None:
    assert not [name for name, service in SERVICES.items() if service.get("profiles")]


def test_the_profiles_where_devices_come() -> None:
    profiles = {name: service.get("profiles", []) for name, service in compose.load(devices=True)["services"].items()}
    assert {name for name, its in profiles.items() if "demo" in its} == {"producer", "mailpit"}
    assert {name for name, its in profiles.items() if "monitoring" in its} == {
        "prometheus",
        "alertmanager",
        "grafana",
        "mailpit",
    }
    for name, service in SERVICES.items():
        for other in waits_for(service):
            assert set(profiles[other]) <= set(profiles[name]), f"{name} waits for {other}, which may not be there"


def waits_for(service: dict[str, Any]) -> dict[str, str]:
    return {name: each["condition"] for name, each in service.get("depends_on", {}).items()}


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_waited_for_can_be_reached(name: str) -> None:
    for other, condition in waits_for(SERVICES[name]).items():
        health = SERVICES[other].get("healthcheck", {})
        if condition == "service_healthy":
            assert health["test"], f"{other} has no health check"
        else:
            assert condition == "service_completed_successfully"
            assert health == {"disable": True}, f"{other} ends: nobody can ask for its health"


def test_the_order_of_start() -> None:
    order: list[str] = []

    def start(name: str, seen: tuple[str, ...] = ()) -> None:
        assert name not in seen, f"a circle: {seen}"
        for other in waits_for(SERVICES[name]):
            start(other, (*seen, name))
        if name not in order:
            order.append(name)

    for name in SERVICES:
        start(name)
    assert order.index("kafka") < order.index("topics") < order.index("detector") < order.index("producer")
    assert order.index("topics") < order.index("alerting") < order.index("producer"), "no alert is missed at the start"
    assert order.index("prometheus") < order.index("grafana")


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    volumes = compose.load()["volumes"].keys()
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
            assert mount.endswith(":ro"), f"{mount}: what lies in the repository is not for writing"
        else:
            assert source in volumes


@pytest.mark.parametrize("name", OURS)
def test_our_services_share_one_image_and_environment(name: str) -> None:
    service = SERVICES[name]
    assert service["image"].startswith("ecgstream:")
    assert all(key.startswith("ECGSTREAM_") for key in service["environment"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert service["image"] == f"ecgstream:{project['version']}"


def test_grafana_reads_the_provisioned_dashboard() -> None:
    grafana = SERVICES["grafana"]
    mounts = dict(mount.split(":")[1::-1] for mount in grafana["volumes"])
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / mounts[str(home.parent)] / home.name).is_file()
