"""The gateway on a real broker, with real clients of HTTP and WebSocket."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from bus.broker import LocalBroker
from bus.clients import create_topics
from bus.samples import Chunk, encode
from bus.settings import KafkaSettings
from ecg.records import MISSING
from gateway.forms import FRAME
from tests.gateway.serving import TOKENS, counting, device, indexes, now_ns, serving, stored, traces

pytestmark = pytest.mark.broker
AT = {"fs_hz": "250", "leads": "II"}


def place(start: int, *, begun_ns: int) -> dict[str, Any]:
    return {"start_index": start, "start_ns": begun_ns + start * 4_000_000}


async def post(
    http: httpx.AsyncClient, start: int, begun_ns: int, count: int = 50, patient: str = "p1"
) -> httpx.Response:
    return await http.post(
        f"/patients/{patient}/chunks",
        params=AT | place(start, begun_ns=begun_ns),
        content=counting(start, count).tobytes(),
        headers={"Content-Type": "application/octet-stream"},
    )


async def test_a_chunk_in_each_form_is_stored_as_it_was_meant(settings: KafkaSettings, tmp_path: Path) -> None:
    begun_ns = now_ns() - 10**9
    avro = Chunk(
        patient="p1",
        device="holter",
        start_ns=begun_ns + 400_000_000,
        start_index=100,
        fs_hz=250.0,
        leads=("II",),
        gain=(1000.0,),
        baseline=(0,),
        samples=counting(100, 50),
    )
    async with serving(settings, tmp_path) as gateway, device(gateway) as http:
        in_json = place(0, begun_ns=begun_ns) | {
            "fs_hz": 250,
            "leads": ["MDC_ECG_LEAD_II"],
            "samples": [0.5, None] * 25,
        }
        answers = [
            await http.post("/patients/p1/chunks", json=in_json),
            await post(http, 50, begun_ns),
            await http.post("/patients/p1/chunks", content=encode(avro), headers={"Content-Type": "avro/binary"}),
        ]
        where = (await http.get("/patients/p1")).json()
    assert [answer.status_code for answer in answers] == [200, 200, 200], [answer.text for answer in answers]
    assert answers[2].json() == {
        "type": "ack",
        "patient": "p1",
        "start_index": 100,
        "next_index": 150,
        "stored": 50,
        "repeated": 0,
        "lost": 0,
    }
    assert where["next_index"] == 150
    assert where["clock"]["jumps"] == 0
    chunks = await stored(settings)
    assert indexes(chunks) == list(range(150))
    assert {(chunk.device, chunk.leads, chunk.gain) for chunk in chunks} == {("holter", ("II",), (1000.0,))}
    assert chunks[0].samples[:4, 0].tolist() == [500, MISSING, 500, MISSING]
    assert np.array_equal(chunks[1].samples, counting(50, 50))


async def test_a_trace_goes_on_with_what_a_device_sends(settings: KafkaSettings, tmp_path: Path) -> None:
    begun_ns = now_ns() - 10**9
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    traced = {"traceparent": parent, "tracestate": "ours=1"}
    async with serving(settings, tmp_path) as gateway:
        async with device(gateway) as http:
            for start, headers in ((0, traced), (50, {}), (100, {"traceparent": "mine", "tracestate": "ours=1"})):
                in_json = place(start, begun_ns=begun_ns) | {"fs_hz": 250, "leads": ["II"], "samples": [0.5] * 50}
                await http.post("/patients/p1/chunks", json=in_json, headers=headers)
        url = address(gateway.url, patient="p1", **AT)
        async with connect(url, additional_headers=with_token() | traced) as socket:
            await heard(socket)
            await socket.send(json.dumps(place(150, begun_ns=begun_ns) | {"samples": [0.5] * 50}))
            assert (await heard(socket))["next_index"] == 200
    whole = (("traceparent", parent.encode()), ("tracestate", b"ours=1"))
    assert await traces(settings) == [whole, (), (), whole]


async def test_what_comes_again_is_acknowledged_and_stored_once(settings: KafkaSettings, tmp_path: Path) -> None:
    begun_ns = now_ns() - 2 * 10**9
    async with serving(settings, tmp_path) as gateway, serving(settings, tmp_path) as other:
        async with device(gateway) as http, device(other) as elsewhere:
            await post(http, 0, begun_ns)
            again = [await post(each, 0, begun_ns) for each in (http, elsewhere, elsewhere, http)]
            await post(elsewhere, 50, begun_ns)
            overlapping = await post(http, 25, begun_ns, count=100)
            at_once = await asyncio.gather(*(post(http, 125, begun_ns) for _ in range(8)))
        assert gateway.metric("repeated_samples_total") >= 100 + 75
    # A gateway that was started anew knows nothing but what the topic tells it.
    async with serving(settings, tmp_path) as gateway, device(gateway) as http:
        after = await post(http, 125, begun_ns)
        assert (await http.get("/patients/p1")).json()["next_index"] == 175
    assert [answer.json()["repeated"] for answer in again] == [50] * 4
    assert (overlapping.json()["stored"], overlapping.json()["repeated"]) == (25, 75)
    assert sorted(answer.json()["stored"] for answer in at_once) == [0] * 7 + [50]
    assert after.json()["repeated"] == 50
    assert indexes(await stored(settings)) == list(range(175))


async def test_what_was_passed_over_stays_a_gap_until_it_comes(settings: KafkaSettings, tmp_path: Path) -> None:
    begun_ns = now_ns() - 2 * 10**9
    async with serving(settings, tmp_path) as gateway, device(gateway) as http:
        await post(http, 0, begun_ns)
        beyond = await post(http, 100, begun_ns)
        late = await post(http, 50, begun_ns)
    assert (beyond.json()["lost"], beyond.json()["next_index"]) == (50, 150)
    assert (late.json()["stored"], late.json()["next_index"]) == (50, 150)
    assert indexes(await stored(settings)) == [*range(50), *range(100, 150), *range(50, 100)]


async def test_a_device_that_begins_anew_begins_another_stream(settings: KafkaSettings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path) as gateway, device(gateway) as http:
        first = await post(http, 0, now_ns() - 60 * 10**9, count=100)
        second = await post(http, 0, now_ns() - 10**9)
        third = await post(http, 50, now_ns() - 10**9)
    assert [answer.json()["stored"] for answer in (first, second, third)] == [100, 50, 50]
    assert second.json()["next_index"] == 50


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"headers": {"Authorization": "Bearer ecgs_x"}}, 401, "device-token"),
        ({"url": "/patients/p2/chunks"}, 403, "not for patient 'p2'"),
        ({"params": {"start_ns": 2 * 10**18}}, 422, "set the device's clock"),
        ({"params": {"start_ns": 10**18}}, 422, "ecgstream score"),
        ({"params": {"fs_hz": "20"}}, 422, "fs_hz"),
        ({"params": {"leads": "II,V1,V2"}}, 422, "whole instants"),
        ({"params": {"gain": "1,2"}}, 422, "gain"),
        ({"params": {"unit": "mV"}}, 422, "gain"),
        ({"headers": {"Content-Type": "text/plain"}}, 415, "application/json"),
        ({"content": b""}, 422, "whole instants"),
        ({"content": b"x" * 70_000}, 413, "shorter chunks"),
        ({"content": b"[" * 5000, "headers": {"Content-Type": "application/json"}}, 422, "JSON"),
        ({"content": b"\xc3\x01abc", "headers": {"Content-Type": "avro/binary"}}, 422, "schema"),
    ],
)
async def test_what_cannot_be_stored_is_refused_with_its_remedy(
    settings: KafkaSettings, tmp_path: Path, change: dict[str, Any], status: int, said: str
) -> None:
    begun_ns = now_ns() - 10**9
    request: dict[str, Any] = {
        "url": change.get("url", "/patients/p1/chunks"),
        "params": AT | place(0, begun_ns=begun_ns) | change.get("params", {}),
        "content": change.get("content", counting(0, 50).tobytes()),
        "headers": {"Content-Type": "application/octet-stream"} | change.get("headers", {}),
    }
    async with serving(settings, tmp_path, message_kb=64) as gateway, device(gateway) as http:
        answer = await http.post(**request)
        assert (await post(http, 0, begun_ns)).status_code == 200
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said in answer.json()["detail"]
    assert indexes(await stored(settings)) == list(range(50))


async def test_a_device_beyond_its_budget_waits_and_others_do_not(settings: KafkaSettings, tmp_path: Path) -> None:
    begun_ns = now_ns() - 10**9
    async with (
        serving(settings, tmp_path, samples_per_s=1) as gateway,
        device(gateway) as http,
        device(gateway, "strap") as other,
    ):
        taken = await post(http, 0, begun_ns)
        beyond = await post(http, 50, begun_ns)
        bystander = await post(other, 0, begun_ns, patient="p2")
    assert [answer.status_code for answer in (taken, beyond, bystander)] == [200, 429, 200]
    assert int(beyond.headers["retry-after"]) >= 10
    assert "wait" in beyond.json()["detail"]


def address(url: str, **query: str) -> str:
    return f"{url.replace('http', 'ws')}/v1/stream?{httpx.QueryParams(query)}"


def with_token(name: str = "holter") -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


async def heard(socket: ClientConnection) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 60))
    return answer


async def test_chunks_by_websocket_are_acknowledged_in_turn(settings: KafkaSettings, tmp_path: Path) -> None:
    begun_ns = now_ns() - 10**9
    async with serving(settings, tmp_path) as gateway:
        url = address(gateway.url, patient="p1", fs_hz="250", leads="II")
        async with connect(url, additional_headers=with_token(), proxy=None) as socket:
            hello = await heard(socket)
            for start in (0, 50, 50):
                place_ns = begun_ns + start * 4_000_000
                await socket.send(FRAME.pack(start, place_ns) + counting(start, 50).tobytes())
            await socket.send(json.dumps(place(100, begun_ns=begun_ns) | {"unit": "uV", "samples": [1000, 2000]}))
            await socket.send("no chunk")
            answers = [await heard(socket) for _ in range(5)]
    assert hello["patients"] == ["p1", "ward-*"]
    assert [(each["type"], each.get("stored"), each.get("next_index")) for each in answers] == [
        ("ack", 50, 50),
        ("ack", 50, 100),
        ("ack", 0, 100),
        ("ack", 2, 102),
        ("refused", None, None),
    ]
    chunks = await stored(settings)
    assert indexes(chunks) == list(range(102))
    assert chunks[-1].samples[:, 0].tolist() == [1000, 2000]


async def test_a_browser_names_its_token_as_a_subprotocol(settings: KafkaSettings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path) as gateway:
        names = ["ecgstream.v1", f"token.{TOKENS['holter']}"]
        async with connect(address(gateway.url), subprotocols=names, proxy=None) as socket:  # type: ignore[arg-type]
            assert socket.subprotocol == "ecgstream.v1"
            assert (await heard(socket))["device"] == "holter"


async def test_a_websocket_without_a_token_or_beyond_their_number_is_refused(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    async with serving(settings, tmp_path, connections_per_device=1) as gateway:
        url = address(gateway.url)
        with pytest.raises(InvalidStatus) as unknown:
            await connect(url, proxy=None)
        async with connect(url, additional_headers=with_token(), proxy=None):
            with pytest.raises(InvalidStatus) as beyond:
                await connect(url, additional_headers=with_token(), proxy=None)
            async with connect(url, additional_headers=with_token("strap"), proxy=None) as other:
                assert (await heard(other))["device"] == "strap"
        async with connect(url, additional_headers=with_token(), proxy=None):
            pass
    assert unknown.value.response.status_code == 401
    assert beyond.value.response.status_code == 429


async def test_while_kafka_is_away_nothing_is_acknowledged_and_afterwards_it_is_stored_once(
    own_broker: LocalBroker, own_settings: KafkaSettings, tmp_path: Path
) -> None:
    await create_topics(own_settings)
    begun_ns = now_ns() - 10**9
    async with serving(own_settings, tmp_path, delivery_timeout_s=1.0) as gateway, device(gateway) as http:
        before = await post(http, 0, begun_ns)
        url = address(gateway.url, patient="p1", fs_hz="250", leads="II")
        async with connect(url, additional_headers=with_token(), proxy=None) as socket:
            await heard(socket)
            frame = FRAME.pack(50, begun_ns + 200_000_000) + counting(50, 50).tobytes()
            await socket.send(frame)
            assert (await heard(socket))["next_index"] == 100
            await own_broker.kill()
            await socket.send(FRAME.pack(100, begun_ns + 400_000_000) + counting(100, 50).tobytes())
            with pytest.raises(ConnectionClosedError):
                await heard(socket)
            assert socket.close_code == 1013
        away = await post(http, 100, begun_ns)
        await own_broker.start()
        async with asyncio.timeout(60):
            while (after := await post(http, 100, begun_ns)).status_code == 503:
                pass
    assert (before.status_code, away.status_code, after.status_code) == (200, 503, 200)
    assert away.headers["content-type"] == "application/problem+json"
    assert indexes(await stored(own_settings)) == list(range(150))
