"""Commands about alarms, against a real broker and a real service."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from alerting import service
from alerting.commanding import (
    CommandError,
    CommandRefusedError,
    NoAnswerError,
    alarms,
    command,
    latest,
    patient_of,
    send,
)
from alerting.settings import AlertingSettings
from bus import topics
from bus.clients import KafkaPublisher, KafkaReader
from bus.interfaces import Outgoing, Received
from bus.settings import KafkaSettings
from tests.alerting.alerts import alert
from tests.alerting.verdicts import START_NS, finding, verdict
from tests.support.waiting import DEADLINE_S

VT_ID = f"p1/{START_NS}/0/ventricular_tachycardia"


def test_a_command_names_one_alarm_or_one_patient() -> None:
    published = command("acknowledge", alert=VT_ID, patient=None, by="Ada", minutes=None)
    assert (published.patient, published.alert, published.by, published.duration_s) == ("p1", VT_ID, "Ada", None)
    assert command("unsilence", alert=VT_ID, patient=None, by="Ada", minutes=None, identity="x").id == "x"
    assert command("silence", alert=None, patient="p2", by="Ada", minutes=3).duration_s == 180
    for both in ({"alert": VT_ID, "patient": "p1"}, {"alert": None, "patient": None}):
        with pytest.raises(CommandError, match="not both, not neither"):
            command("silence", by="Ada", minutes=1, **both)
    with pytest.raises(CommandError, match=r"'x' is not an alarm id: take one from"):
        patient_of("x")
    with pytest.raises(CommandError, match=r"duration_s=.*less than or equal to 86400: correct it"):
        command("silence", alert=VT_ID, patient=None, by="Ada", minutes=10_000)
    with pytest.raises(CommandError, match=r"^Value error, duration_s=None with silence: .* must: correct it$"):
        command("silence", alert=VT_ID, patient=None, by="Ada", minutes=None)


def test_what_another_release_wrote_is_left_out_and_the_last_counts() -> None:
    written = [
        alert().to_bytes(),
        b'{"schema_version": 1}',
        alert(sequence=1, phase="end", state="inactive").to_bytes(),
    ]
    found = latest(
        Received(topic="ecg.alerts", partition=0, offset=n, timestamp_ms=0, key=b"k", value=value)
        for n, value in enumerate(written)
    )
    assert [each.sequence for each in found.values()] == [1]


@pytest.fixture
async def ward(settings: KafkaSettings) -> AsyncIterator[KafkaSettings]:
    """Alerting at work, with a ventricular tachycardia of p1."""
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(settings, AlertingSettings(), stop, registry=CollectorRegistry()))
    first = verdict(0, "abnormal", findings=(finding("ventricular_tachycardia", 0),))
    async with KafkaPublisher(settings) as publisher:
        topic = topics.WINDOWS
        await publisher.send(Outgoing(topic=topic, key=b"p1", value=first.to_bytes()))
    async with KafkaReader(settings, [topics.ALERTS], start="beginning") as reader:
        async with asyncio.timeout(DEADLINE_S):
            while not await reader.batch():
                pass
    yield settings
    stop.set()
    await running


@pytest.mark.broker
async def test_an_alarm_is_silenced_acknowledged_and_who_comes_second_is_told(
    ward: KafkaSettings,
) -> None:
    (silenced,) = await send(ward, command("silence", alert=None, patient="p1", by="Ada", minutes=5))
    assert (silenced.id, silenced.state, silenced.silenced_by) == (VT_ID, "silenced", "Ada")
    (seen,) = await send(ward, command("acknowledge", alert=VT_ID, patient=None, by="Ada", minutes=None))
    assert (seen.state, seen.acknowledged_by) == ("acknowledged", "Ada")
    with pytest.raises(CommandRefusedError, match=r"refused: alarm .* makes no sound: Ada has acknowledged it"):
        await send(ward, command("acknowledge", alert=VT_ID, patient=None, by="Bo", minutes=None))
    assert await send(ward, command("silence", alert=None, patient="p1", by="Ada", minutes=5)) == []
    (listed,) = await alarms(ward, patient="p1")
    assert listed == seen
    assert await alarms(ward, patient="p2") == []


@pytest.mark.broker
async def test_a_command_that_nobody_answers_says_so_and_waits(settings: KafkaSettings) -> None:
    published = command("acknowledge", alert=VT_ID, patient=None, by="Ada", minutes=None)
    with pytest.raises(NoAnswerError, match=r"no answer within 0\.5 s: .* the command waits on the topic"):
        await send(settings, published, answer_s=0.5)
