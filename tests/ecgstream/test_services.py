"""The commands that stand beneath the services, as a user runs them."""

import signal
import socket
from pathlib import Path

import pytest

from bus.settings import KafkaSettings
from bus.topic_admin import list_topics
from bus.topics import TOPICS
from tests.ecgstream.commands import start

pytestmark = pytest.mark.broker
PATIENCE_S = 120


def test_the_broker_prints_its_address_keeps_its_data_and_ends_in_order(tmp_path: Path) -> None:
    with start("broker", "--port", "0", "--data", "kafka", directory=tmp_path) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port)), timeout=10):
            pass
        environment = {"ECGSTREAM_BOOTSTRAP_SERVERS": address}
        for partitions, status in (("3", 0), ("3", 0), ("5", 1)):  # again is no error; another count is
            words = ["topics", "create", "--partitions", partitions]
            with start(*words, directory=tmp_path, environment=environment) as topics:
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


async def test_a_replay_creates_the_topics_and_sends_everything(kafka: str, tmp_path: Path) -> None:
    prefix = f"replay-{tmp_path.name}."[:60]
    environment = {"ECGSTREAM_BOOTSTRAP_SERVERS": kafka, "ECGSTREAM_TOPIC_PREFIX": prefix}
    words = ["replay", "--record", "208-excerpt", "--patients", "2", "--speed", "max", "--duration", "60"]
    with start(*words, directory=tmp_path, environment=environment) as process:
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert '"event": "replayed"' in err
    assert f'"samples": {2 * 60 * 360}' in err
    settings = KafkaSettings(_env_file=None, bootstrap_servers=kafka, topic_prefix=prefix)
    assert (await list_topics(settings)).keys() >= {settings.topic(topic.name) for topic in TOPICS}
