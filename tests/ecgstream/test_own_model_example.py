"""docs/own-model.md, command by command, on the real broker: a network checked, in the shadow, compared, shipped."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from bus import topics
from bus.clients import KafkaPublisher, KafkaReader
from bus.messages import Verdict
from bus.settings import KafkaSettings
from detector.offline import EPOCH_NS
from ecg.records import Record
from ecg.wfdb_files import toy_record
from ops.clock import SystemClock
from producer.metrics import ReplayMetrics
from producer.service import Replay
from producer.settings import ReplaySettings
from producer.streams import deal
from tests.deploy.programs import ROOT
from tests.ecgstream.commands import clean_environment, start

pytestmark = pytest.mark.broker
DEADLINE_S = 120.0
SECONDS = 60


def commands() -> list[tuple[dict[str, str], list[str]]]:
    """The commands of the document, each with what it sets."""
    (block,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "own-model.md").read_text(), re.DOTALL)
    found = []
    for line in block.splitlines():
        tokens = line.split()
        variables = dict(token.split("=", 1) for token in tokens if re.match(r"[A-Z_]+=", token))
        found.append((variables, [token for token in tokens if not re.match(r"[A-Z_]+=", token)]))
    return found


async def replay(kafka: KafkaSettings, record: Record, patients: int, start_ns: int) -> None:
    async with KafkaPublisher(kafka) as publisher:
        await Replay(
            deal([record], patients, duration_s=SECONDS),
            ReplaySettings(speed="max", chunk_ms=1000, start_ns=start_ns),
            publisher=publisher,
            clock=SystemClock(),
            metrics=ReplayMetrics(CollectorRegistry()),
        ).run(asyncio.Event())


async def verdicts(kafka: KafkaSettings, topic: str, count: int) -> list[Verdict]:
    found: list[Verdict] = []
    async with KafkaReader(kafka, [topic], start="beginning") as reader, asyncio.timeout(DEADLINE_S):
        while len(found) < count:
            found += [Verdict.model_validate_json(message.value or b"") for message in await reader.batch()]
    return found


@asynccontextmanager
async def running(arguments: list[str], directory: Path, environment: Mapping[str, str]) -> AsyncIterator[None]:
    with start(*arguments, directory=directory, environment=environment) as process:
        try:
            yield
        finally:
            process.terminate()
            await asyncio.to_thread(process.communicate, timeout=60)


async def test_model_of_the_document_is_shipped_within_five_commands(settings: KafkaSettings, tmp_path: Path) -> None:
    (_, make), (_, check), (_, shadow), (_, compare), (ship_by, ship) = commands()
    environment = {
        "ECGSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ECGSTREAM_TOPIC_PREFIX": settings.topic_prefix,
        "ECGSTREAM_PARTITIONS": str(settings.partitions),
        "ECGSTREAM_HEALTH_PORT": "0",
        "PYTHONPATH": str(ROOT),
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=clean_environment() | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    program, script, *rest = make
    assert program == "python"
    made = run(str(ROOT / script), *rest)
    loss = re.match(r"loss (\d\.\d+) on \d+ windows", made)
    assert loss is not None
    assert float(loss[1]) < 0.6  # it has learned: a guess has 0.69

    checked = json.loads(run("-m", *check, "--json", "-"))
    assert checked["fits"]

    record = toy_record()
    await replay(settings, record, 2, EPOCH_NS)
    windows = 2 * SECONDS // 5
    async with running(shadow[1:], tmp_path, environment):
        shadowed = await verdicts(settings, topics.SHADOW_WINDOWS, windows)
        shipped = await verdicts(settings, topics.WINDOWS, windows)
    assert {each.id for each in shadowed} == {each.id for each in shipped}
    assert {each.models["cnn"] for each in shadowed} == {checked["versions"]["cnn"]}

    compared = json.loads(run("-m", *compare, "--json", "-", "--strips", "strips"))
    assert compared["windows"] == windows
    drawn = sorted((tmp_path / "strips").iterdir())
    assert len(drawn) == len(compared["disagreements"][:20])
    assert all("<svg" in strip.read_text() for strip in drawn)
    assert compared["models"]["shadow"] == checked["versions"]

    # What comes while no detector runs waits in Kafka.
    await replay(settings, record, 2, EPOCH_NS + 3600 * 1_000_000_000)
    async with running(ship[1:], tmp_path, environment | ship_by):
        published = await verdicts(settings, topics.WINDOWS, 2 * windows)
    known = {each.id for each in shipped}
    after = [each for each in published if each.id not in known]
    assert len({each.id for each in after}) == windows
    assert {each.models["cnn"] for each in after} == {checked["versions"]["cnn"]}
    assert {len(each.models) for each in after} == {1}
