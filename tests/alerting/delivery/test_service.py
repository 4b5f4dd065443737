"""From a verdict on the topic to a webhook, through the whole service."""

import asyncio
import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerting import service
from alerting.delivery.channels import ChannelsError
from alerting.settings import AlertingSettings
from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from tests.alerting.delivery.boxes import SECRET
from tests.alerting.verdicts import finding, verdict
from tests.support.receiver import Receiver
from tests.support.waiting import until


def settings_for(tmp_path: Path, text: str) -> AlertingSettings:
    """The service with a channels file."""
    (tmp_path / "channels.toml").write_text(text)
    return AlertingSettings.model_validate(
        {"channels": tmp_path / "channels.toml", "alarm_db": f"sqlite:///{tmp_path}/alarms.sqlite"}
    )


@pytest.mark.broker
async def test_an_alarm_reaches_a_webhook(settings: KafkaSettings, receiver: Receiver, tmp_path: Path) -> None:
    text = f'[channels.x]\nkind = "webhook"\nurl = "{receiver.url}"\nsecret = "{SECRET}"\n'
    stop = asyncio.Event()
    running = asyncio.create_task(
        service.run(settings, settings_for(tmp_path, text), stop, registry=CollectorRegistry())
    )
    asystole = verdict(0, "abnormal", findings=(finding("asystole", 0, beats=None),))
    async with KafkaPublisher(settings) as publisher:
        topic = topics.WINDOWS
        await publisher.send(Outgoing(topic=topic, key=asystole.patient.encode(), value=asystole.to_bytes()))
    await until(lambda: bool(receiver.calls) or running.done())
    stop.set()
    await running
    alert = json.loads(receiver.calls[0].body)
    assert (alert["condition"], alert["priority"], alert["phase"]) == ("asystole", "high", "start")


async def test_a_channel_that_can_never_deliver_ends_the_start(tmp_path: Path) -> None:
    unused = KafkaSettings(_env_file=None, bootstrap_servers="127.0.0.1:9")
    wrong = settings_for(tmp_path, '[channels.x]\nkind = "apprise"\nurl = "pigeon://roof"\n')
    with pytest.raises(ChannelsError, match=r"channels\.x\.url has the scheme 'pigeon'"):
        await service.run(unused, wrong, asyncio.Event(), registry=CollectorRegistry())
