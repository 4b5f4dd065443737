"""A ward that runs while tests look at it: real recordings through the real services, each a process of its own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import wfdb

from bus.clients import create_topics
from bus.settings import KafkaSettings
from ecg.data import data_directory
from ecg.wfdb_files import load_record
from ecgstream.children import Command
from ops.ports import free_ports

LENGTH_S = 900.0  # longer than all tests that look at it take together, on the slowest machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A patient of the ward: a piece of a recording of DS1.

    Attributes
    ----------
    record : the recording, and the patient's id
    from_s : where the piece begins, so that what is to be seen comes soon, s
    shows : what that is
    """

    record: str
    from_s: float
    shows: str


STAYS = (
    Stay(record="207", from_s=25.0, shows="ventricular flutter after 15 s: a high alarm that is latched"),
    Stay(record="205", from_s=288.0, shows="ventricular tachycardia after 11 s"),
    Stay(record="223", from_s=566.0, shows="ventricular tachycardia after 12 s"),
    Stay(record="203", from_s=0.0, shows="tachycardia, atrial fibrillation, couplets: medium and low alarms"),
    Stay(record="119", from_s=15.0, shows="ventricular bigeminy"),
    Stay(record="106", from_s=85.0, shows="couplets"),
    Stay(record="201", from_s=20.0, shows="atrial fibrillation"),
    Stay(record="101", from_s=60.0, shows="sinus rhythm"),
    Stay(record="115", from_s=60.0, shows="sinus rhythm"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWard:
    """The system at work.

    Attributes
    ----------
    url : of the page, without a slash at its end
    kafka : what all of it works on
    logs : folder of the services' logs
    alarm_db : address of the alarm history
    """

    url: str
    kafka: KafkaSettings
    logs: Path
    alarm_db: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live_ward(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveWard]:
    """A ward of nine patients, whose alarms come within the first twenty seconds."""
    settings = KafkaSettings(
        _env_file=None, bootstrap_servers=kafka, topic_prefix=f"ward-{uuid.uuid4().hex[:12]}.", partitions=4
    )
    await create_topics(settings)
    logs = tmp_path_factory.mktemp("ward-logs")
    records = tmp_path_factory.mktemp("ward-records")
    await asyncio.to_thread(lay_out, STAYS, records, seconds=LENGTH_S)
    names = [stay.record for stay in STAYS]
    alarm_db = f"sqlite:///{logs}/alarms.sqlite"
    async with AsyncExitStack() as stack:

        def started(*words: str) -> Command:
            return Command(words[0], *words, kafka=settings, logs=logs)

        (port,) = free_ports(1)
        services = [
            # First: its samples wait on the topic for the others, who load their libraries meanwhile.
            await stack.enter_async_context(started("replay", *names, "--data", str(records), "--speed", "1")),
            await stack.enter_async_context(started("detect")),
            await stack.enter_async_context(started("alert")),
            await stack.enter_async_context(started("web", "--port", str(port))),
        ]
        await asyncio.gather(*(service.ready() for service in services))
        yield LiveWard(url=f"http://127.0.0.1:{port}", kafka=settings, logs=logs, alarm_db=alarm_db)
        for service in services:
            await service.check()


def lay_out(stays: Sequence[Stay], folder: Path, *, seconds: float) -> None:
    """Write pieces of recordings as records of their own.

    Parameters
    ----------
    stays : which
    folder : where to
    seconds : how long each is
    """
    for stay in stays:
        record = load_record(stay.record, data_directory() / "mitdb")
        first = round(stay.from_s * record.fs_hz)
        wfdb.wrsamp(
            stay.record,
            fs=record.fs_hz,
            units=["mV"] * len(record.leads),
            sig_name=list(record.leads),
            d_signal=record.samples[first : first + round(seconds * record.fs_hz)],
            fmt=["16"] * len(record.leads),
            adc_gain=list(record.gain),
            baseline=list(record.baseline),
            write_dir=str(folder),
        )
