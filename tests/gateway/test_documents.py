"""The gateway's OpenAPI and AsyncAPI documents say what it does."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from websockets.asyncio.client import connect

from bus.settings import KafkaSettings
from gateway.document import asyncapi
from gateway.forms import FRAME
from gateway.refusals import REASONS
from tests.gateway.serving import TOKENS, counting, device, now_ns, serving

pytestmark = pytest.mark.broker


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [*([node["$ref"]] if "$ref" in node else []), *(r for each in node.values() for r in references(each))]
    return [r for each in node for r in references(each)] if isinstance(node, list) else []


def resolve(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def whole(document: Any) -> None:
    for reference in references({name: each for name, each in document.items() if name != "components"}):
        assert resolve(document, reference)


def payload(name: str) -> Draft202012Validator:
    schema = asyncapi()["components"]["messages"][name]["payload"]
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


async def test_http_is_as_its_document_says(settings: KafkaSettings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path) as gateway, device(gateway) as http:
        document = (await http.get("/openapi.json")).json()
        body = {"start_index": 0, "start_ns": now_ns() - 10**9, "fs_hz": 250, "samples": [0.1, None]}
        answers = {
            ("/v1/patients/{patient}/chunks", "post"): await http.post("/patients/p1/chunks", json=body),
            ("/v1/patients/{patient}", "get"): await http.get("/patients/p1"),
        }
        refused = await http.post("/patients/p2/chunks", json=body)
    whole(document)
    assert {(path, way) for path, ways in document["paths"].items() for way in ways} == answers.keys()
    schemas = document["components"]["schemas"]
    assert Draft202012Validator(schemas["JsonChunk"]).is_valid(body)
    for (path, way), answer in answers.items():
        described = document["paths"][path][way]["responses"]
        schema = described["200"]["content"]["application/json"]["schema"]
        assert Draft202012Validator({**schema, "components": {"schemas": schemas}}).is_valid(answer.json())
        assert {"401", "403", "422", "429", "503"} <= described.keys()
    assert Draft202012Validator(schemas["Problem"]).is_valid(refused.json())


async def test_the_websocket_is_as_its_document_says(settings: KafkaSettings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path) as gateway, httpx.AsyncClient() as http:
        document = (await http.get(f"{gateway.url}/v1/asyncapi.json")).json()
        assert document == asyncapi()
        query = document["channels"]["stream"]["bindings"]["ws"]["query"]["properties"]
        assert query.keys() == {"patient", "fs_hz", "leads", "unit", "gain", "baseline"}
        url = f"ws://{gateway.address}{document['channels']['stream']['address']}?patient=p1&fs_hz=250&leads=II"
        headers = {"Authorization": f"Bearer {TOKENS['holter']}"}
        in_json = {"start_index": 50, "start_ns": now_ns() - 8 * 10**8, "samples": [0.1]}
        payload("jsonChunk").validate(in_json)
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            await socket.send(FRAME.pack(0, now_ns() - 10**9) + counting(0, 50).tobytes())
            await socket.send(json.dumps(in_json))
            await socket.send("{}")
            heard = [json.loads(await socket.recv()) for _ in range(4)]
    whole(document)
    for name, answer in zip(("hello", "acknowledgement", "acknowledgement", "refusal"), heard, strict=True):
        payload(name).validate(answer)
    assert set(payload("refusal").schema["properties"]["code"]["enum"]) == set(REASONS)
