"""The live view on a real broker: what a browser sees, what another does about it, and a Kafka that is away."""

import asyncio
import contextlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
import websockets

from bus import topics
from bus.broker import LocalBroker
from bus.clients import KafkaPublisher, create_topics
from bus.interfaces import Outgoing
from bus.messages import Beat, Verdict
from bus.samples import Chunk, encode
from bus.settings import KafkaSettings
from ecg.annotations import read_annotations
from ecg.files import read_file
from ops.ports import free_ports
from tests.alerting.verdicts import HOP_NS, START_NS, finding, verdict
from tests.support.waiting import DEADLINE_S
from tests.web.live.chunks import chunk, cut, signal
from tests.web.serving import client, listening, serving
from web.live.frames import Frame, decode
from web.safety.paths import API

VT_ID = f"p1/{START_NS}/0/ventricular_tachycardia"


async def publish(kafka: KafkaSettings, messages: Sequence[Chunk | Verdict]) -> None:
    async with KafkaPublisher(kafka) as publisher:
        for each in messages:
            name, value = (
                (topics.SAMPLES, encode(each)) if isinstance(each, Chunk) else (topics.WINDOWS, each.to_bytes())
            )
            await publisher.send(Outgoing(topic=name, key=each.patient.encode(), value=value))


async def connected(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while (await http.get("/ready")).status_code != 200:  # noqa: ASYNC110 # it is asked over the line
            await asyncio.sleep(0.05)


@pytest.mark.broker
async def test_traces_come_as_frames_and_the_past_as_the_same(settings: KafkaSettings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path) as address, client(address) as http:
        await connected(http)
        async with websockets.connect(f"ws://{address}{API}/live", compression=None) as line:
            await line.send(json.dumps({"watch": {"patients": None, "leads": "all"}}))
            await line.send(json.dumps({"watch": {"patients": ["p1"], "fs_hz": 1}}))
            said = json.loads(await line.recv())
            assert said["type"] == "error"
            assert said["detail"].startswith("watch.fs_hz: ")
            await publish(settings, cut(3600, [90]))
            frames: list[Frame] = []
            async with asyncio.timeout(DEADLINE_S):
                while sum(len(frame.samples) for frame in frames) < 3600:
                    message = await line.recv()
                    assert isinstance(message, bytes)
                    frames += decode(message)
        assert (np.concatenate([frame.samples for frame in frames]) == signal(3600)).all()
        assert {frame.leads for frame in frames} == {("V1", "MLII")}
        (patient,) = (await http.get("/patients")).json()["patients"]
        assert (patient["patient"], patient["lead"], patient["last_sample_ns"]) == ("p1", "MLII", START_NS + 10**10)
        wanted = {"from_ns": str(START_NS + 10**9), "to_ns": str(START_NS + 3 * 10**9)}
        answer = await http.get("/patients/p1/samples", params=wanted)
        (frame,) = decode(answer.content)
        assert (frame.samples == signal(720, start=360)).all()
        assert frame.start_ms == START_NS / 1e6 + 1000
        samples = await http.get("/patients/p1/samples", params=wanted, headers={"Accept": "application/json"})
        (stretch,) = samples.json()["stretches"]
        assert (stretch["start_ns"], len(stretch["samples"])) == (START_NS + 10**9, 720)
        filtered = await http.get("/patients/p1/samples", params=wanted | {"filtered": "true"})
        (frame,) = decode(filtered.content)
        assert (frame.fs_hz, len(frame.samples), frame.gain) == (100.0, 200, (1000.0, 1000.0))
        for form, kind in (("edf", "octet-stream"), ("wfdb", "zip"), ("fhir", "fhir+json")):
            file = await http.get("/patients/p1/samples", params=wanted | {"format": form})
            assert (file.status_code, file.headers["content-type"]) == (200, f"application/{kind}")
            assert file.headers["content-disposition"].startswith('attachment; filename="p1-20231114T221321Z.')
        (tmp_path / "kept.edf").write_bytes(
            (await http.get("/patients/p1/samples", params=wanted | {"format": "edf"})).content
        )
        assert (read_file(tmp_path / "kept.edf").samples == signal(720, start=360)).all()
        beyond = await http.get("/patients/p1/samples", params={"from_ns": "0", "to_ns": "1000"})
        assert (beyond.status_code, beyond.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.broker
async def test_an_alarm_acknowledged_in_one_browser_is_so_in_the_other(settings: KafkaSettings, tmp_path: Path) -> None:
    async with (
        serving(settings, tmp_path, alarms=True) as address,
        client(address) as http,
        client(address) as other,
    ):
        async with listening(http) as one, listening(other) as two:
            assert (await one.until("hello"))["alarms"] == []
            await two.until("hello")
            first = verdict(0, "abnormal", findings=(finding("ventricular_tachycardia", 0),), reasons=("a run",))
            await publish(settings, [first])
            assert (await one.until("alarm", id=VT_ID))["state"] == "active"
            await two.until("alarm", id=VT_ID)
            open_now = (await http.get("/alarms", params={"open": "true"})).json()["alarms"]
            assert [alarm["id"] for alarm in open_now] == [VT_ID]
            asked = {"action": "acknowledge", "alert": VT_ID, "id": "once"}
            answer = await http.post("/alert-commands", json=asked, params={"wait": "true"})
            assert answer.status_code == 200
            assert [alarm["acknowledged_by"] for alarm in answer.json()["alarms"]] == ["local"]
            assert (await two.until("alarm", id=VT_ID))["state"] == "acknowledged"
            await one.until("alarm", id=VT_ID, state="acknowledged")
        again = await http.post("/alert-commands", json=asked, params={"wait": "true"})
        assert again.json() == answer.json()
        refused = await http.post("/alert-commands", json=asked | {"id": "another"}, params={"wait": "true"})
        assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")
        assert "local has acknowledged it" in refused.json()["detail"]
        clash = await http.post("/alert-commands", json=asked | {"action": "unsilence"})
        assert clash.status_code == 409
        await publish(settings, [verdict(number, "normal") for number in range(1, 20)])
        async with listening(other, after=two.last_id) as back:
            assert (await back.until("hello"))["resumed"] is True
            ended = await back.until("alarm", id=VT_ID, phase="end")
            sequences = [data["sequence"] for kind, data in back.heard if kind == "alarm" and data["id"] == VT_ID]
            assert sequences == list(range(2, ended["sequence"] + 1))
        async with asyncio.timeout(DEADLINE_S):  # the history is written beside the topic
            while True:
                life = await http.get("/alarms/life", params={"id": VT_ID})
                if life.status_code == 200 and life.json()["alarm"]["phase"] == "end" and life.json()["actions"]:
                    break
                await asyncio.sleep(0.05)
        assert [action["by"] for action in life.json()["actions"]][:1] == ["local"]
        page = (await http.get("/alarms", params={"kind": "physiological", "limit": "1"})).json()
        assert [alarm["id"] for alarm in page["alarms"]] == [page["next"]] == [VT_ID]
        assert (await http.get("/alarms", params={"after": VT_ID})).json() == {"alarms": [], "next": None}
        assert (await http.get("/alarms/life", params={"id": "p1/x"})).status_code == 404


@pytest.mark.broker
async def test_decisions_on_beats_are_kept_and_leave_as_wfdb_annotations(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    times = [START_NS + second * 10**9 for second in range(4)]
    beats = tuple(Beat(t_ns=at, beat_class="V", confidence=0.9) for at in times)
    judged = verdict(0, "abnormal").model_copy(update={"beats": beats})
    async with serving(settings, tmp_path) as address, client(address) as http:
        await connected(http)
        await publish(settings, [judged, *cut(1800, [360])])
        route = "/patients/p1/beat-reviews"
        for decided in (
            {"t_ns": times[1], "decision": "accept", "detected": "V"},
            {"t_ns": times[2], "decision": "accept", "detected": "V"},
            {"t_ns": times[2], "decision": "reject", "detected": "V"},
            {"t_ns": times[3] + 256_000, "decision": "reclass", "class": "S", "detected": "V"},  # as a browser has it
            {"t_ns": times[0], "decision": "reject", "detected": "V"},
            {"t_ns": times[0], "decision": "withdraw"},
            {"t_ns": START_NS + 45 * 10**8, "decision": "reclass", "class": "N"},  # the detector missed it
        ):
            for _ in range(2):  # a browser that sends again
                assert (await http.post(route, json=decided)).status_code == 201
        refused = await http.post(route, json={"t_ns": 1, "decision": "accept", "class": "N"})
        assert (refused.status_code, "reclass alone has one" in refused.text) == (422, True)
        stretch = {"from_ns": str(START_NS), "to_ns": str(START_NS + 5 * 10**9)}
        standing = (await http.get(route, params=stretch)).json()["reviews"]
        assert [one["decision"] for one in standing] == ["accept", "reject", "reclass", "reclass"]
        answer = await http.get("/patients/p1/samples", params=stretch | {"format": "wfdb"})
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / "wfdb")
    (header,) = (tmp_path / "wfdb").glob("*.hea")
    found = read_annotations(header)
    assert found.sample.tolist() == [0, 360, 720, 1080, 1620]
    assert found.symbol == ("V", "V", "|", "S", "N")
    assert found.aux[0] == "detector V 0.90"
    assert [note.split()[0] for note in found.aux[1:]] == ["accept", "reject", "reclass", "reclass"]
    assert found.aux[2].endswith("; detector V 0.90")
    assert found.aux[4].endswith("; no beat detected")


@pytest.mark.broker
async def test_what_was_judged_is_read_back_page_by_page(settings: KafkaSettings, tmp_path: Path) -> None:
    run = finding("ventricular_run", 31)
    judged = [
        verdict(number, "abnormal" if number in {30, 31} else "normal", findings=(run,) if number == 31 else ())
        for number in range(60)
    ]
    async with serving(settings, tmp_path) as address, client(address) as http:
        await connected(http)
        async with listening(http) as events:
            await events.until("hello")
            await publish(settings, [*judged, *cut(3600, [360], base_ns=START_NS + 148 * 10**9)])
            await events.until("verdict", window=59)
        found: list[int] = []
        wanted = {"from_ns": str(START_NS), "to_ns": str(START_NS + 50 * HOP_NS), "limit": "20"}
        after: dict[str, str] = {}
        while True:
            page = (await http.get("/patients/p1/verdicts", params=wanted | after)).json()
            found += [one["window"] for one in page["verdicts"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert found == list(range(50))
        newest = (await http.get("/patients/p1/verdicts", params={"limit": "5"})).json()
        assert [one["window"] for one in newest["verdicts"]] == [55, 56, 57, 58, 59]
        trends = (await http.get("/patients/p1/trends")).json()
        assert trends["t_ns"] == [one.end_ns for one in judged]
        assert trends["decision"] == [one.decision for one in judged]
        events = (await http.get("/patients/p1/events")).json()
        assert [(one["kind"], one["label"]) for one in events] == [
            ("abnormal", "abnormal for 10 s"),
            ("finding", "run of 6 ventricular beats at 100/min"),
        ]
        middle = {"at_ns": str(START_NS + 152 * 10**9), "seconds": "6"}
        strip = (await http.get("/patients/p1/strip", params=middle)).json()
        assert (len(strip["samples"]), [one["decision"] for one in strip["windows"]]) == (2160, ["normal", "abnormal"])
        for form, begin in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg")):
            drawn = await http.get("/patients/p1/strip", params=middle | {"format": form})
            assert drawn.content.startswith(begin)
        assert (await http.get("/patients/p2")).status_code == 404
        assert (await http.get("/patients/p2/verdicts")).status_code == 404
        assert (await http.get("/patients/p1")).json()["alarms"] == []


@pytest.mark.broker
async def test_a_kafka_that_comes_late_or_goes_away_is_waited_for_and_the_page_says_so(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    kafka = KafkaSettings(_env_file=None, bootstrap_servers=f"127.0.0.1:{port}", connect_timeout_s=1.0)
    async with contextlib.AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(kafka, tmp_path))
        http = await stack.enter_async_context(client(address))
        answer = await http.get("/ready")
        assert (answer.status_code, answer.json()["detail"]) == (503, "Kafka: waiting: ask again in a while")
        assert (await http.get("/patients")).json()["patients"] == []
        samples = await http.get("/patients/p1/samples", params={"from_ns": "0", "to_ns": "1000"})
        assert samples.status_code == 503
        events = await stack.enter_async_context(listening(http))
        assert await events.until("status") == {"kafka": "waiting"}
        broker = await stack.enter_async_context(LocalBroker(port=port))
        await create_topics(kafka)
        assert (await events.until("hello"))["patients"] == []
        await connected(http)
        await publish(kafka, [chunk(0, 90)])
        assert [one["patient"] for one in await events.until("patients")] == ["p1"]
        await broker.kill()
        assert await events.until("status") == {"kafka": "waiting"}
        await broker.start()
        assert await events.until("status") == {"kafka": "connected"}
        await publish(kafka, [chunk(0, 90, patient="p2"), verdict(0, "normal", patient="p2")])
        assert (await events.until("verdict"))["patient"] == "p2"


async def test_a_live_view_that_fails_ends_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a patient nobody thought of")

    monkeypatch.setattr("web.live.registry.PatientRegistry.changed_at", fail)
    kafka = KafkaSettings(_env_file=None, bootstrap_servers="127.0.0.1:1", connect_timeout_s=0.1)

    async def served() -> None:
        async with asyncio.timeout(DEADLINE_S), serving(kafka, tmp_path):
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await served()
    assert caught.group_contains(ValueError, match="nobody thought of")
