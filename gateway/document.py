"""The gateway's documents: OpenAPI of its HTTP interface, AsyncAPI of its WebSocket."""

from typing import Any

from fastapi import FastAPI

from gateway import answers
from gateway.forms import JsonChunk
from gateway.routes import schemas
from gateway.senders import SUBPROTOCOL
from ops import problems


class DocumentedGateway(FastAPI):
    """An application whose document has the forms that no route has in its signature."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if not self.openapi_schema:
            held = super().openapi()["components"]["schemas"]
            held["Problem"] = problems.Problem.model_json_schema()
            held |= schemas()
        return super().openapi()


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document of the WebSocket."""
    sent = {"jsonChunk": _message(JsonChunk, "A chunk as text.")}
    for name, title in (
        ("int16Chunk", "A chunk as bytes: start_index and start_ns as little-endian int64, then int16 samples."),
        ("avroChunk", "A chunk as bytes: a message of ecg.samples, Avro single object (ecg.samples.avsc)."),
    ):
        binary = {"type": "string", "format": "binary"}
        sent[name] = {"title": title, "contentType": "application/octet-stream", "payload": binary}
    received = {
        model.__name__.lower(): _message(model, (model.__doc__ or "").partition("\n")[0])
        for model in (answers.Hello, answers.Acknowledgement, answers.Refusal)
    }

    def operation(action: str, names: dict[str, Any], summary: str) -> dict[str, Any]:
        return {
            "action": action,
            "channel": {"$ref": "#/channels/stream"},
            "summary": summary,
            "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in names],
        }

    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ecgstream gateway: WebSocket",
            "version": "1",
            "description": "Devices send chunks of ECG and hear of each when it is stored. Not a medical device.",
        },
        "channels": {
            "stream": {
                "address": "/v1/stream",
                "title": "Chunks of one device",
                "description": (
                    "The token comes as the header 'Authorization: Bearer ...', or from a browser as the subprotocol "
                    f"'token.' and the token, beside '{SUBPROTOCOL}'. What describes the stream (patient, fs_hz, "
                    "leads, unit, gain, baseline) stands in the address; in JSON it may stand in each chunk. With "
                    "fs_hz in the address bytes are int16Chunk, without it avroChunk."
                ),
                "bindings": {
                    "ws": {
                        "query": {
                            "type": "object",
                            "properties": {
                                name: {"type": "string"}
                                for name in ("patient", "fs_hz", "leads", "unit", "gain", "baseline")
                            },
                        },
                        "bindingVersion": "0.1.0",
                    }
                },
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in sent | received},
            }
        },
        "operations": {
            "takeChunks": operation("receive", sent, "Chunks of the device, in any of three forms."),
            "answer": operation("send", received, "Who was let in; then each chunk acknowledged or refused, in turn."),
        },
        "components": {"messages": sent | received},
    }


def _message(model: type[Any], title: str) -> dict[str, Any]:
    return {
        "title": title,
        "contentType": "application/json",
        "payload": model.model_json_schema(mode="serialization" if issubclass(model, answers.Answer) else "validation"),
    }
