"""The services run as the compose file says, verdicts and alerts flow, and monitoring finds what it asks for."""

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bus import topics
from bus.clients import KafkaReader
from bus.messages import Alert, Verdict
from bus.settings import KafkaSettings
from ops.ports import free_ports
from tests.deploy import compose
from tests.deploy.programs import debian_program
from tests.deploy.stack import Running, Stack, stack
from tests.monitoring.queries import dashboard_queries, declared_names, metric_names, rule_queries
from tests.support.waiting import DEADLINE_S, until

pytestmark = pytest.mark.broker

LASTING = ("detector", "alerting", "web", "producer")


@pytest.fixture(scope="module")
def running(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(kafka, tmp_path_factory.mktemp("stack")) as up:
        yield up


def test_the_services_that_last_have_not_ended(running: Stack) -> None:
    assert set(running.services) == set(LASTING)


@pytest.mark.parametrize("name", LASTING)
def test_the_compose_files_health_check_passes(running: Stack, name: str) -> None:
    kind, python, *arguments = running.services[name].spec["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")
    assert check(running.services[name], arguments) == 0


@pytest.mark.parametrize("name", LASTING)
def test_the_images_health_check_passes(running: Stack, name: str) -> None:
    (line,) = re.findall(
        r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", (compose.ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    python, *arguments = json.loads(line)
    assert python == "python"
    assert check(running.services[name], arguments) == 0


def test_a_health_check_fails_where_nobody_answers(running: Stack) -> None:
    nobody = running.services["detector"]
    arguments = nobody.spec["healthcheck"]["test"][2:]
    environment = dict(nobody.environment) | {"ECGSTREAM_HEALTH_PORT": str(free_ports(1)[0])}
    done = subprocess.run([sys.executable, *arguments], env=environment, check=False, capture_output=True)
    assert done.returncode != 0


def check(service: Running, arguments: list[str]) -> int:
    """The exit status of a health check in the service's own environment."""
    return subprocess.run(
        [sys.executable, *arguments], env=dict(service.environment), check=False, timeout=30
    ).returncode


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


def test_monitoring_names_only_metrics_that_are_exported(running: Stack) -> None:
    known = set().union(*(declared_names(page) for page in running.metrics().values()))
    for title, expression in (*dashboard_queries(), *rule_queries()):
        assert metric_names(expression) <= known, title


def test_no_metric_has_a_patient_as_a_label(running: Stack) -> None:
    for page in running.metrics().values():
        assert "patient=" not in page


class Prometheus:
    """The real Prometheus on the project's configuration, with the services where they are here."""

    def __init__(self, up: Stack, folder: Path) -> None:
        self._url = f"http://127.0.0.1:{free_ports(1)[0]}"
        config = yaml.safe_load((compose.ROOT / "monitoring/prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(compose.ROOT / "monitoring/prometheus" / name) for name in config["rule_files"]]
        config["scrape_configs"] = [
            {"job_name": job["job_name"], "static_configs": [{"targets": [self._target(up, job)]}]}
            for job in config["scrape_configs"]
            if "dns_sd_configs" in job
        ]
        assert {job["job_name"] for job in config["scrape_configs"]} == set(LASTING)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.log = folder / "log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    debian_program("prometheus"),
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address={self._url.removeprefix('http://')}",
                ],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")},
            )

    @staticmethod
    def _target(up: Stack, job: dict[str, Any]) -> str:
        (found,) = job["dns_sd_configs"]
        (name,) = found["names"]
        declared = compose.services()[name]["environment"]["ECGSTREAM_HEALTH_PORT"]
        assert str(found["port"]) == declared, "Prometheus asks the port that the compose file gives the service"
        return f"127.0.0.1:{up.services[name].port}"

    def ask(self, expression: str) -> list[Any] | None:
        """What a query gives; None while the server does not answer yet."""
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/query?{query}", timeout=10) as page:  # noqa: S310 # http
                answer = json.load(page)
        except urllib.error.HTTPError as error:
            if error.code == 503:  # still starting
                return None
            raise
        except OSError:
            return None
        assert answer["status"] == "success", answer
        found: list[Any] = answer["data"]["result"]
        return found


@pytest.fixture(scope="module")
def prometheus(running: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    server = Prometheus(running, tmp_path_factory.mktemp("prometheus"))
    yield server
    server.process.terminate()
    assert server.process.wait(30) == 0


async def test_prometheus_reaches_every_service(prometheus: Prometheus) -> None:
    await until(lambda: len(prometheus.ask("up == 1") or []) == len(LASTING))


@pytest.mark.parametrize(("title", "expression"), dashboard_queries(), ids=lambda text: text[:40])
async def test_every_panel_shows_something(prometheus: Prometheus, title: str, expression: str) -> None:
    await until(lambda: bool(prometheus.ask(expression)))
    assert title


@pytest.mark.parametrize(("name", "expression"), rule_queries())
async def test_every_rule_can_be_evaluated(prometheus: Prometheus, name: str, expression: str) -> None:
    await until(lambda: prometheus.ask(expression) is not None)
    assert name
