"""Following topics."""

import json
import signal
from pathlib import Path

import pytest

from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from tests.alerting.verdicts import urgent, verdict
from tests.ecgstream.commands import start

pytestmark = pytest.mark.broker


async def publish(settings: KafkaSettings, *patients: str) -> None:
    async with KafkaPublisher(settings) as publisher:
        for window, patient in enumerate(patients):
            message = verdict(window, "abnormal", patient=patient, reasons=("2 ventricular beats",))
            topic = topics.WINDOWS
            await publisher.send(Outgoing(topic=topic, key=patient.encode(), value=message.to_bytes()))
        await publisher.send(Outgoing(topic=topics.WINDOWS, key=b"x", value=b"not a verdict"))


def follow(settings: KafkaSettings, directory: Path, *arguments: str, lines: int, topic: str = "windows") -> list[str]:
    """The first lines that the command prints; then it is asked to end."""
    environment = {
        "ECGSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ECGSTREAM_TOPIC_PREFIX": settings.topic_prefix,
    }
    with start("subscribe", topic, *arguments, directory=directory, environment=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        read = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == ""
        process.stderr.read()
    return read


async def test_readable_lines_of_one_patient(settings: KafkaSettings, tmp_path: Path) -> None:
    await publish(settings, "p1", "p2", "p1")
    lines = follow(settings, tmp_path, "--from-beginning", "--patient", "p1", lines=2)
    assert lines[0] == ("2023-11-14 22:13:20.000Z  p1           abnormal 0.90   72/min  2 ventricular beats\n")
    assert lines[1].startswith("2023-11-14 22:13:30.000Z  p1")


async def test_json_lines_are_the_messages(settings: KafkaSettings, tmp_path: Path) -> None:
    await publish(settings, "p1", "p2")
    lines = follow(settings, tmp_path, "--from-beginning", "--json", lines=2)
    read = {message["patient"]: message for message in map(json.loads, lines)}
    assert read == {
        patient: verdict(window, "abnormal", patient=patient, reasons=("2 ventricular beats",)).as_json()
        for window, patient in enumerate(("p1", "p2"))
    }


@pytest.mark.parametrize("form", [["--json"], []])
async def test_a_reader_that_leaves_ends_it_without_a_word(
    form: list[str], settings: KafkaSettings, tmp_path: Path
) -> None:
    await publish(settings, "p1")
    environment = {
        "ECGSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ECGSTREAM_TOPIC_PREFIX": settings.topic_prefix,
    }
    arguments = ["subscribe", "windows", "--from-beginning", *form]
    with start(*arguments, directory=tmp_path, environment=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "p1" in process.stdout.readline()
        process.stdout.close()
        await publish(settings, "p2")
        assert process.wait(timeout=60) == 0
        assert "Error" not in process.stderr.read()


async def test_what_is_urgent_has_a_line_of_its_own(settings: KafkaSettings, tmp_path: Path) -> None:
    async with KafkaPublisher(settings) as publisher:
        topic = topics.URGENT
        await publisher.send(Outgoing(topic=topic, key=b"p1", value=urgent(8).to_bytes()))
    (line,) = follow(settings, tmp_path, "--from-beginning", lines=1, topic="urgent")
    assert line == "2023-11-14 22:13:28.000Z  p1           URGENT no QRS in 4 s, lead MLII\n"
