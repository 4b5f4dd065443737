"""The commands that stand beneath the services, as a user runs them."""

import signal
import socket
from pathlib import Path

import pytest

from bus.settings import KafkaSettings
from bus.topic_admin import topic_states
from bus.topics import SAMPLES
from tests.ecgstream.commands import start

pytestmark = pytest.mark.broker
PATIENCE_S = 120


def test_the_broker_makes_the_topics_prints_its_address_keeps_its_data_and_ends_in_order(tmp_path: Path) -> None:
    counted = {"ECGSTREAM_PARTITIONS": "3"}
    with start("broker", "--port", "0", "--data", "kafka", directory=tmp_path, environment=counted) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port)), timeout=10):
            pass
        environment = {"ECGSTREAM_BOOTSTRAP_SERVERS": address}
        for word, partitions, status in (("check", "3", 0), ("create", "3", 0), ("check", "5", 1), ("create", "5", 1)):
            arguments = ["topics", word, "--partitions", partitions]
            with start(*arguments, directory=tmp_path, environment=environment) as topics:
                out, err = topics.communicate(timeout=PATIENCE_S)
            assert topics.returncode == status, err
        assert "ecg.samples has 3" in err
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (0, "")
    assert (tmp_path / "kafka" / "topics" / "meta.properties").is_file()


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with start("broker", "--port", port, directory=tmp_path) as process:
            out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (1, "")
    assert f"port {port} on 127.0.0.1 is taken" in err
    assert err.count("\n") == 1


def test_an_audit_trail_that_cannot_be_written_ends_the_page_at_its_start_broker_or_not(tmp_path: Path) -> None:
    (tmp_path / "trail").mkdir()
    environment = {"ECGSTREAM_BOOTSTRAP_SERVERS": "127.0.0.1:9", "ECGSTREAM_WEB_AUDIT_TRAIL": str(tmp_path / "trail")}
    with start("web", directory=tmp_path, environment=environment) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (1, "")
    assert "name a file that this service may append to" in err
    assert "no Kafka" not in err


async def test_a_service_makes_no_topics_and_says_what_does(kafka: str, tmp_path: Path) -> None:
    prefix = f"absent-{tmp_path.name}."[:60]
    environment = {
        "ECGSTREAM_BOOTSTRAP_SERVERS": kafka,
        "ECGSTREAM_TOPIC_PREFIX": prefix,
        "ECGSTREAM_CONNECT_TIMEOUT_S": "1",
    }
    with start("replay", "--record", "208-excerpt", directory=tmp_path, environment=environment) as process:
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert f"no topic {prefix}ecg.samples" in err
    assert "make them with 'ecgstream topics create'" in err
    settings = KafkaSettings(_env_file=None, bootstrap_servers=kafka, topic_prefix=prefix)
    assert not await topic_states(settings, [SAMPLES])


async def test_a_replay_sends_everything(settings: KafkaSettings, tmp_path: Path) -> None:
    environment = {
        "ECGSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ECGSTREAM_TOPIC_PREFIX": settings.topic_prefix,
    }
    arguments = ["replay", "--record", "208-excerpt", "--patients", "2", "--speed", "max", "--duration", "60"]
    with start(*arguments, directory=tmp_path, environment=environment) as process:
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert '"event": "replayed"' in err
    assert f'"samples": {2 * 60 * 360}' in err
    (state,) = (await topic_states(settings, [SAMPLES])).values()
    assert sum(state.ends.values()) == 2 * 60 * 4
