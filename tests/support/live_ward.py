"""A ward that runs while tests look at it: real recordings through the real services, each a process of its own."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb

from bus.clients import create_topics
from bus.settings import KafkaSettings
from ecgstream.children import Command
from ops.ports import free_ports
from tests.support.recordings import recording

LENGTH_S = 900.0  # longer than all tests that look at it take together, on the slowest machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A patient of the ward: an excerpt of a recording, over and over.

    Attributes
    ----------
    record : the recording, and the patient's id
    excerpt : of it, so that what is to be seen comes soon
    shows : what that is
    """

    record: str
    excerpt: str
    shows: str


STAYS = (
    Stay(record="207", excerpt="207-excerpt", shows="ventricular flutter after 15 s: a high alarm that is latched"),
    Stay(record="205", excerpt="205", shows="ventricular tachycardia after 11 s"),
    Stay(record="223", excerpt="223", shows="ventricular tachycardia after 12 s"),
    Stay(record="203", excerpt="203", shows="tachycardia, atrial fibrillation, couplets: medium and low alarms"),
    Stay(record="119", excerpt="119-excerpt", shows="ventricular trigeminy"),
    Stay(record="106", excerpt="106", shows="couplets"),
    Stay(record="201", excerpt="201-excerpt", shows="atrial fibrillation"),
    Stay(record="101", excerpt="101", shows="sinus rhythm"),
    Stay(record="115", excerpt="115", shows="sinus rhythm"),
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


@contextlib.asynccontextmanager
async def running_ward(kafka: str, folder: Path) -> AsyncIterator[LiveWard]:
    """A ward of nine patients, whose alarms come within the first twenty seconds.

    Parameters
    ----------
    kafka : the broker's bootstrap address
    folder : for the logs and the recordings
    """
    settings = KafkaSettings(
        _env_file=None, bootstrap_servers=kafka, topic_prefix=f"ward-{uuid.uuid4().hex[:12]}.", partitions=4
    )
    await create_topics(settings)
    logs, records = folder / "logs", folder / "records"
    logs.mkdir()
    records.mkdir()
    await asyncio.to_thread(lay_out, STAYS, records, seconds=LENGTH_S)
    names = [stay.record for stay in STAYS]
    alarm_db = f"sqlite:///{logs}/alarms.sqlite"
    async with AsyncExitStack() as stack:

        def started(*arguments: str) -> Command:
            return Command(arguments[0], *arguments, kafka=settings, logs=logs)

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
    """Write the patients' recordings as records of their own.

    Parameters
    ----------
    stays : which
    folder : where to
    seconds : how long each is; what is shorter begins anew
    """
    for stay in stays:
        record = recording(stay.excerpt)
        wfdb.wrsamp(
            stay.record,
            fs=record.fs_hz,
            units=["mV"] * len(record.leads),
            sig_name=list(record.leads),
            d_signal=np.resize(record.samples, (round(seconds * record.fs_hz), len(record.leads))),
            fmt=["16"] * len(record.leads),
            adc_gain=list(record.gain),
            baseline=list(record.baseline),
            write_dir=str(folder),
        )
