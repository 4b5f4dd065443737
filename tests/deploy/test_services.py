"""The services run as the compose file says, verdicts and alerts flow, and monitoring finds what it asks for."""

import asyncio
import json
import re
from collections.abc import Iterator

import pytest

from bus import topics
from bus.clients import KafkaReader
from bus.messages import Alert, Verdict
from bus.settings import KafkaSettings
from tests.deploy import compose
from tests.deploy.monitors import Alertmanager, Prometheus
from tests.deploy.stack import PYTHON, Stack, stack
from tests.monitoring.queries import dashboard_queries, declared_names, metric_names, recorded, rule_queries
from tests.support.waiting import DEADLINE_S, until

pytestmark = pytest.mark.broker

LASTING = ("detector", "alerting", "web", "gateway", "producer")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("stack")) as up:
        yield up


def test_the_services_that_last_have_not_ended(running: Stack) -> None:
    assert set(running.services) == set(LASTING)


@pytest.mark.parametrize("name", LASTING)
def test_a_service_runs_as_the_image_says_without_any_right_of_root(running: Stack, name: str) -> None:
    container = running.services[name].container
    assert set(container.status("Uid")) == set(container.status("Gid")) == {"10001"}
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert container.status(kind) == ["0000000000000000"]
    assert container.status("NoNewPrivs") == ["1"]
    tried = container.run("sh", "-c", f"touch /tmp/ours && touch {compose.ROOT}/ours /usr/ours /ours")
    assert tried.stderr.count("Read-only file system") == 3, tried.stderr


@pytest.mark.parametrize("name", LASTING)
def test_the_compose_files_health_check_passes(running: Stack, name: str) -> None:
    kind, *arguments = running.services[name].spec["healthcheck"]["test"]
    assert kind == "CMD"
    assert running.services[name].check(arguments) == 0


@pytest.mark.parametrize("name", LASTING)
def test_the_images_health_check_passes(running: Stack, name: str) -> None:
    (line,) = re.findall(
        r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", (compose.ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    assert running.services[name].check(json.loads(line)) == 0


def test_a_health_check_fails_where_nobody_answers(running: Stack) -> None:
    service = running.services["detector"]
    kind, python, option, program = service.spec["healthcheck"]["test"]
    assert service.check([python, option, program.replace("/readyz", "/nothing")]) != 0
    assert kind == "CMD"


@pytest.mark.parametrize("name", [*LASTING, "kafka", "postgres"])
def test_a_service_stays_within_its_memory(running: Stack, name: str) -> None:
    ours = running.services.get(name)
    container = ours.container if ours else running.foreign[name]
    assert container.limit.kills == 0


async def collect(kafka: KafkaSettings, topic: str, count: int) -> list[bytes]:
    values: list[bytes] = []
    async with KafkaReader(kafka, [topic], start="beginning") as reader:
        async with asyncio.timeout(DEADLINE_S):
            while len(values) < count:
                values += [message.value or b"" for message in await reader.batch()]
    return values


async def test_verdicts_anomalies_and_alerts_flow(running: Stack) -> None:
    verdicts = [Verdict.model_validate_json(value) for value in await collect(running.kafka, topics.WINDOWS, 20)]
    assert len({verdict.patient for verdict in verdicts}) == 2
    (anomaly, *_) = await collect(running.kafka, topics.ANOMALIES, 1)
    assert Verdict.model_validate_json(anomaly).decision == "abnormal"
    (alert, *_) = await collect(running.kafka, topics.ALERTS, 1)
    assert Alert.model_validate_json(alert).patient in {verdict.patient for verdict in verdicts}


def test_no_metric_has_a_patient_as_a_label(running: Stack) -> None:
    for page in running.metrics().values():
        assert "patient=" not in page


@pytest.mark.parametrize("name", ["detector", "alerting", "web", "gateway", "producer"])
def test_the_doctor_finds_nothing_wrong_in_a_container(running: Stack, name: str) -> None:
    done = running.services[name].container.run(str(PYTHON), "-m", "ecgstream", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "java: none, and none is needed" in done.stdout


async def test_an_alarm_of_a_patient_reaches_the_mail_catcher(running: Stack) -> None:
    await until(lambda: any("208-excerpt-" in subject for subject in running.mailbox.subjects()))


@pytest.fixture(scope="module")
def alertmanager(running: Stack) -> Iterator[Alertmanager]:
    with Alertmanager(running) as server:
        yield server


@pytest.fixture(scope="module")
def prometheus(running: Stack) -> Iterator[Prometheus]:
    with Prometheus(running) as server:
        yield server


async def test_prometheus_reaches_every_service(prometheus: Prometheus) -> None:
    jobs = {*LASTING, "prometheus"}
    await until(lambda: jobs <= {each["metric"]["job"] for each in prometheus.ask("up == 1") or []})


async def test_prometheus_reaches_alertmanager(prometheus: Prometheus, alertmanager: Alertmanager) -> None:
    await until(lambda: bool(prometheus.ask('up{job="alertmanager"} == 1')))
    assert alertmanager.page()


async def test_rules_name_only_metrics_that_are_exported(
    running: Stack, prometheus: Prometheus, alertmanager: Alertmanager
) -> None:
    pages = [*running.metrics().values(), prometheus.page(), alertmanager.page()]
    known = set().union(*(declared_names(page) for page in pages)) | {name for name, _ in recorded()}
    for title, expression in (*dashboard_queries(), *rule_queries(), *recorded()):
        assert metric_names(expression) <= known, title


@pytest.mark.parametrize(("title", "expression"), dashboard_queries(), ids=lambda text: text[:40])
async def test_every_panel_shows_something(prometheus: Prometheus, title: str, expression: str) -> None:
    await until(lambda: bool(prometheus.ask(expression)))
    assert title


@pytest.mark.parametrize(("name", "expression"), rule_queries())
async def test_every_rule_can_be_evaluated(prometheus: Prometheus, name: str, expression: str) -> None:
    await until(lambda: prometheus.ask(expression) is not None)
    assert name


@pytest.mark.parametrize("name", [name for name, _ in recorded() if "delivery" not in name])
async def test_every_objective_is_measured(prometheus: Prometheus, name: str) -> None:
    await until(lambda: bool(prometheus.ask(name)))


@pytest.mark.usefixtures("alertmanager")
async def test_monitoring_says_that_it_is_at_work(running: Stack, prometheus: Prometheus) -> None:
    await until(lambda: any("Watchdog" in subject for subject in running.mailbox.subjects()))
    assert prometheus.ask("up") is not None


# The last one: it kills a service.
@pytest.mark.usefixtures("alertmanager")
async def test_somebody_is_told_when_a_service_was_killed(running: Stack, prometheus: Prometheus) -> None:
    running.services.pop("producer").container.kill()
    await until(lambda: any("ServiceDown of producer" in subject for subject in running.mailbox.subjects()))
    (mail,) = [text for text in running.mailbox.texts() if "producer at" in text]
    assert "see docs/runbook.md#servicedown" in mail
    assert prometheus.ask('up{job="producer"} == 0')
