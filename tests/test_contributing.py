"""The worked examples of CONTRIBUTING.md, as they stand there: a new file and one entry in a table are enough."""

import asyncio
import json
import re
import socket
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from prometheus_client import CollectorRegistry

import alerting.delivery
import bus
import ecg
from alerting.database.engine import address
from alerting.delivery import channels
from alerting.delivery.worker import delivering
from alerting.metrics import AlertingMetrics
from bus import topics
from bus.interfaces import Outgoing
from bus.schemas import published, with_topics
from bus.testing import MemoryBus, MemoryReader
from ecg import formats
from ecgstream.subscribe import show
from ops.clock import SystemClock
from tests.alerting.delivery.boxes import alert_message, filled
from tests.ecgstream.commands import status_of
from tests.support.waiting import until

PAGE = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text()


def example(heading: str) -> tuple[str, str, str]:
    """The new file's place and text, and the entry, of the section under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    file, entry = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    place, text = file.split("\n", 1)
    return place.removeprefix("# "), text, entry


def added(place: str, text: str, package: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The new file as a module of its package, in a folder of its own."""
    (folder / Path(place).name).write_text(text)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    name = place.removesuffix(".py").replace("/", ".")
    made = import_module(name)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, name, made)
    return made


def entered(entry: str, table: ModuleType, made: ModuleType) -> Any:
    """The entry, evaluated where its table stands."""
    return eval(f"({entry},)", vars(table) | vars(made))  # noqa: S307 # our own page


async def test_channel_gets_an_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, text, entry = example("Add a delivery channel")
    added(place, text, alerting.delivery, tmp_path, monkeypatch)
    kinds = eval(f"{{{entry}}}")  # noqa: S307 # our own page
    monkeypatch.setattr(channels, "KINDS_OF_CHANNEL", channels.KINDS_OF_CHANNEL | kinds)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        file = tmp_path / "channels.toml"
        file.write_text(f'[channels.log]\nkind = "syslog"\nhost = "127.0.0.1"\nport = {server.getsockname()[1]}\n')
        found = channels.load_channels(file)
        url, clock = address(f"sqlite:///{tmp_path}/alarms.sqlite"), SystemClock()
        filled(url, found, [alert_message("a", label="asystole", priority="high")], published_ns=clock.now_ns())
        registry = CollectorRegistry()
        async with delivering(url, found, AlertingMetrics(registry), clock=clock, instance=None):
            count = ("ecgstream_alerting_deliveries_total", {"channel": "log", "outcome": "done"})
            await until(lambda: registry.get_sample_value(*count) == 1)
        assert server.recv(1000) == b"<25>1 - - ecgstream - start - high asystole, p1"


def test_file_format_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, text, entry = example("Add a file format")
    made = added(place, text, ecg, tmp_path, monkeypatch)
    (form,) = entered(entry, formats, made)
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, form))
    wave = np.round(np.sin(np.arange(360 * 20) / 40) ** 21, 3).tolist()
    (tmp_path / "a.ecgjson").write_text(json.dumps({"fs_hz": 360, "leads": {"II": wave}}))
    (tmp_path / "b.ecgjson").write_text("[]")
    results = tmp_path / "results.json"
    assert status_of(["score", *(str(tmp_path / f"{name}.ecgjson") for name in "ab"), "--json", str(results)]) == 1
    good, bad = json.loads(results.read_text())["results"]
    assert (good["leads"], good["fs_hz"], len(good["windows"])) == (["II"], 360.0, 4)
    assert "holds no ECG (TypeError): write fs_hz and leads" in bad["error"]


async def test_topic_is_followed_and_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place, text, entry = example("Add a topic")
    made = added(place, text, bus, tmp_path, monkeypatch)
    (topic,) = entered(entry, topics, made)
    monkeypatch.setattr(topics, "TOPICS", (*topics.TOPICS, topic))
    memory, stop = MemoryBus(), asyncio.Event()
    reader = MemoryReader(memory, [topic.name], start="beginning")
    showing = asyncio.create_task(show(reader, topics.readable()["notes"], stop, patient="p1", as_json=False))
    for patient, state in (("p1", "asleep"), ("p2", "awake")):
        note = made.Note(patient=patient, at_ns=5, text=state)
        memory.put(Outgoing(topic=topic.name, key=patient.encode(), value=note.to_bytes()))
    shown = ""
    while "\n" not in shown:
        await asyncio.sleep(0)
        shown += capsys.readouterr().out
    stop.set()
    await showing
    assert shown == "patient=p1  at_ns=5  text=asleep\n"
    document = with_topics(yaml.safe_load(published("asyncapi.yaml")))
    assert document["channels"]["notes"]["messages"] == {"note": {"$ref": "#/components/messages/note"}}
    assert document["components"]["messages"]["note"]["title"] == "What somebody noted about a patient"
    assert topics.used_by("web")[-1] == topic.name
