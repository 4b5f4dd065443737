"""Backup, wipe and restore as the documentation has it: every alarm and action is back, nothing is judged twice."""

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import create_engine, make_url, text

from alerting.commanding import alarms
from bus import topics
from bus.broker import LocalBroker
from bus.clients import KafkaReader, create_topics
from bus.interfaces import Received
from bus.messages import Verdict
from bus.settings import KafkaSettings
from ecgstream.bench.chaos import count_different
from ecgstream.children import Command
from tests.ecgstream.commands import clean_environment
from tests.support.postgres import UNPACKED, server_programs
from tests.support.waiting import until

pytestmark = pytest.mark.broker

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/operations.md"
PATIENTS = 5
STOPPED = "/source_stopped"  # the end of an id; raised by the wall clock, so of another time in each run
POLL_S = 0.1
EVENTS = "SELECT alarm, sequence, phase, state, priority, told_ns FROM alarm_events ORDER BY alarm, sequence"
CHUNKS_OF_WINDOW = 20  # of 250 ms each
REPLAY = ("replay", "--record", "208-excerpt", "--patients", str(PATIENTS), "--speed", "8", "--duration", "240")


class Found(NamedTuple):
    """What is known at the end: verdicts by id, how often each came, and rows of the alarm history."""

    verdicts: dict[str, Verdict]
    times: Counter[str]
    events: list[Any]
    actions: list[Any]


def procedure(title: str) -> str:
    """The commands that the documentation gives under a title."""
    (found,) = re.findall(rf"^```sh\n# {title}\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def follow(title: str, folder: Path, kafka: KafkaSettings, database: str) -> None:
    """Do what the documentation says, as it stands there."""
    programs = server_programs()
    assert programs is not None
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "ecgstream").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ecgstream "$@"\n')
    (tools / "ecgstream").chmod(0o755)
    libraries = [str(path) for path in (UNPACKED / "usr/lib").glob("*-linux-gnu")]
    done = subprocess.run(
        ["bash", "-euc", procedure(title)],
        cwd=folder,
        env=clean_environment()
        | {
            "PATH": os.pathsep.join([str(tools), str(programs), os.defpath]),
            "PYTHONPATH": str(ROOT),
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
            "ECGSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "BACKUP": str(folder),
            "ALARMS": database,
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@asynccontextmanager
async def services(kafka: KafkaSettings, folder: Path, database: str) -> AsyncIterator[Sequence[Command]]:
    """A detector and an alerting service, at work."""
    environment = {"ECGSTREAM_ALERTING_ALARM_DB": database}
    async with (
        Command("detect", "detect", kafka=kafka, logs=folder, environment=environment) as detector,
        Command("alert", "alert", kafka=kafka, logs=folder, environment=environment) as alerting,
    ):
        await asyncio.gather(detector.ready(), alerting.ready())
        yield detector, alerting


async def read(kafka: KafkaSettings, topic: str) -> list[Received]:
    async with KafkaReader(kafka, [topic], start="beginning") as reader:
        return [message async for message in reader.to_end() if message.value is not None]


def rows(database: str, query: str) -> list[Any]:
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(query))
        found = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return found


async def to_the_end(kafka: KafkaSettings, folder: Path, database: str) -> Found:
    """Let the services judge what there is, and see what came of it."""
    async with services(kafka, folder, database) as running:
        # The alarm that comes once all that was sent of a patient is judged.
        while (
            len([alarm for (alarm,) in rows(database, "SELECT id FROM alarms") if alarm.endswith(STOPPED)]) < PATIENTS
        ):
            for each in running:
                await each.check()
            await asyncio.sleep(POLL_S)
    verdicts = [Verdict.model_validate_json(message.value or b"") for message in await read(kafka, topics.WINDOWS)]
    return Found(
        verdicts={verdict.id: verdict for verdict in verdicts},
        times=Counter(verdict.id for verdict in verdicts),
        events=[event for event in rows(database, EVENTS) if not event[0].endswith(STOPPED)],
        actions=rows(database, "SELECT * FROM actions ORDER BY sent_ns"),
    )


async def acknowledge_one(kafka: KafkaSettings, database: str) -> None:
    """Acknowledge the first alarm that opens, and wait until the history has it."""
    while not (found := await alarms(kafka, patient=None, ended=False)):
        pass
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ecgstream", "alarms", "ack", found[0].id, "--by", "Ada"),
        env=clean_environment() | {"ECGSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "PYTHONPATH": str(ROOT)},
    )
    assert await done.wait() == 0
    await until(lambda: rows(database, "SELECT count(*) FROM actions") == [(1,)])


def wipe(database: str) -> None:
    """Put an empty database in the place of one."""
    server = make_url(database).set(database="postgres").render_as_string(hide_password=False)
    rows(server, f"DROP DATABASE {make_url(database).database} WITH (FORCE)")
    rows(server, f"CREATE DATABASE {make_url(database).database}")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """Make a folder for the services' logs."""

    def made(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    return made


async def test_everything_is_back_and_nothing_is_judged_twice(
    tmp_path: Path, folder: Callable[[str], Path], postgres_database: str
) -> None:
    async with LocalBroker() as broker:
        kafka = KafkaSettings(_env_file=None, bootstrap_servers=broker.bootstrap)
        await create_topics(kafka)
        async with Command("replay", *REPLAY, kafka=kafka, logs=tmp_path) as replay:
            async with services(kafka, folder("before"), postgres_database):
                await acknowledge_one(kafka, postgres_database)
            # The services stop in the middle of windows, with much of it to come: else this would prove nothing.
            await until(lambda: not replay.running)
        windows = len(await read(kafka, topics.SAMPLES)) // CHUNKS_OF_WINDOW
        assert 0 < len(await read(kafka, topics.WINDOWS)) < 0.8 * windows
        follow("Back up", tmp_path, kafka, postgres_database)
        # Nothing happened to this one: so must the restored one end.
        never_lost = await to_the_end(kafka, folder("never-lost"), postgres_database)
    wipe(postgres_database)
    async with LocalBroker() as broker:
        kafka = KafkaSettings(_env_file=None, bootstrap_servers=broker.bootstrap)
        follow("Restore", tmp_path, kafka, postgres_database)
        restored = await to_the_end(kafka, folder("restored"), postgres_database)
    assert set(restored.times.values()) == {1}
    assert restored.verdicts.keys() == never_lost.verdicts.keys()
    assert count_different(never_lost.verdicts, restored.verdicts) == 0
    assert len(restored.verdicts) == windows
    assert restored.events == never_lost.events
    assert restored.events
    assert restored.actions == never_lost.actions
    assert len(restored.actions) == 1
