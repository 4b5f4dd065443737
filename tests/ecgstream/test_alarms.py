"""The commands about alarms: how they are told, and the list of those on the topic."""

import asyncio
import json
from pathlib import Path

import pytest

from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.messages import Alert
from bus.settings import KafkaSettings
from ecgstream.wording import alarm_lines
from tests.alerting.alerts import alert
from tests.alerting.verdicts import START_NS
from tests.ecgstream.commands import status_of


def test_an_alarm_is_told_in_two_lines() -> None:
    lines = alarm_lines(alert(state="silenced", silenced_by="Ada", silenced_until_ns=START_NS))
    assert lines[0].startswith("low         silenced until 2023-11-14 22:13:20.000Z  p1  abnormal ECG since 2023-11-14")
    assert lines[0].endswith("22:13:20.000Z: 2 ventricular beats")
    assert lines[1].strip() == f"p1/{START_NS}/1/abnormal_window"
    assert alarm_lines(alert(state="acknowledged", acknowledged_by="Ada"))[0].startswith(
        "low         acknowledged by Ada"
    )


@pytest.mark.broker
async def test_the_open_alarms_are_listed(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    open_one, ended = alert(), alert(id="p1/1/1/x", phase="end", state="inactive")
    async with KafkaPublisher(settings) as publisher:
        for each in (ended, open_one):
            topic = topics.ALERTS
            await publisher.send(Outgoing(topic=topic, key=each.id.encode(), value=each.to_bytes()))
    monkeypatch.setenv("ECGSTREAM_TOPIC_PREFIX", settings.topic_prefix)
    file = tmp_path / "alarms.json"
    arguments = ["alarms", "list", "--json", str(file), "--bootstrap-servers", settings.bootstrap_servers]
    assert await asyncio.to_thread(status_of, arguments) == 0
    shown = json.loads(file.read_text())["alarms"]
    assert [Alert.model_validate(each) for each in shown] == [open_one]
