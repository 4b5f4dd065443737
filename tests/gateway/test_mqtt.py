"""Devices by MQTT: a real Mosquitto, a real client, the gateway between it and a real Kafka."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bus.samples import encode
from bus.settings import KafkaSettings
from ecgstream.bench.cutting import cable
from ops.ports import free_ports
from tests.gateway.chunks import STEP_NS, chunk
from tests.gateway.serving import counting, indexes, now_ns, serving, stored, traces
from tests.support.waiting import DEADLINE_S, until

pytestmark = pytest.mark.broker


def properties(**fields: Any) -> Properties:
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho types all but this
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def client(port: int, name: str) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5, identifier=name)


async def test_each_form_is_stored_and_answered_where_an_answer_is_asked_for(
    settings: KafkaSettings, tmp_path: Path, mqtt_port: int
) -> None:
    begun_ns = now_ns() - 10**9
    in_json = {"start_index": 0, "start_ns": begun_ns, "fs_hz": 250, "unit": "uV", "samples": list(range(50))}
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    stated = [
        ("traceparent", parent),
        ("fs_hz", "250"),
        ("start_index", "50"),
        ("start_ns", str(begun_ns + 50 * STEP_NS)),
    ]
    async with (
        serving(settings, tmp_path, mqtt_host="127.0.0.1", mqtt_port=mqtt_port) as gateway,
        client(mqtt_port, "device") as mqtt,
    ):
        await mqtt.subscribe("answers/holter", qos=1)
        await until(lambda: gateway.mqtt_at_work)
        for patient, body, fields in (
            ("p1", json.dumps(in_json), {}),
            ("p1", counting(50, 50).tobytes(), {"ContentType": "application/octet-stream", "UserProperty": stated}),
            ("p1", encode(chunk(100, 50, origin_ns=begun_ns)), {"ContentType": "avro/binary"}),
            ("p2", json.dumps(in_json), {}),
            ("p1", "no chunk", {}),
        ):
            back = properties(ResponseTopic="answers/holter", CorrelationData=patient.encode(), **fields)
            await mqtt.publish(f"ecg/{patient}/holter", body, qos=1, properties=back)
        answers = []
        async with asyncio.timeout(DEADLINE_S):
            async for message in mqtt.messages:
                answers.append(json.loads(bytes(message.payload)))
                if len(answers) == 5:
                    break
    assert sorted(answer["stored"] for answer in answers if answer["type"] == "ack") == [50] * 3
    assert {answer["code"] for answer in answers if answer["type"] == "refused"} == {"patient", "malformed"}
    assert indexes(await stored(settings)) == list(range(150))
    assert await traces(settings) == [(), (("traceparent", parent.encode()),), ()]


async def test_gateways_share_the_work_and_what_they_had_not_stored_comes_again(
    settings: KafkaSettings, tmp_path: Path, mqtt_port: int
) -> None:
    begun_ns = now_ns() - 60 * 10**9

    async def send(first: int, last: int) -> None:
        async with client(mqtt_port, "device") as mqtt:
            for start in range(first, last, 50):
                await mqtt.publish("ecg/p1/holter", encode(chunk(start, 50, origin_ns=begun_ns)), qos=1)

    async with cable(mqtt_port) as way:
        here: dict[str, Any] = {"mqtt_host": "127.0.0.1", "mqtt_port": way.port}
        async with (
            serving(settings, tmp_path, instance="one", **here) as one,
            serving(settings, tmp_path, instance="two", **here) as two,
        ):
            await until(lambda: one.mqtt_at_work and two.mqtt_at_work)
            for first in range(0, 2000, 200):
                await send(first, first + 200)
                way.cut()
            await until(lambda: one.metric("samples_total") + two.metric("samples_total") >= 2000)
            assert min(gateway.metric("chunks_total", way="mqtt") for gateway in (one, two)) > 0
        # Nobody is there; the MQTT broker keeps what comes for the two.
        await send(2000, 2400)
        async with (
            serving(settings, tmp_path, instance="one", **here) as one,
            serving(settings, tmp_path, instance="two", **here) as two,
        ):
            await until(lambda: one.metric("samples_total") + two.metric("samples_total") >= 400)
    found = indexes(await stored(settings))
    assert sorted(found) == list(range(2400))


async def test_an_mqtt_broker_that_is_not_there_is_waited_for(settings: KafkaSettings, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with serving(settings, tmp_path, mqtt_host="127.0.0.1", mqtt_port=port) as gateway:
        assert not gateway.mqtt_at_work
