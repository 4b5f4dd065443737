"""The published contracts: Avro for samples, JSON Schema for the rest, and AsyncAPI for the whole.

All but the Avro schema follow from the table in ``bus.topics``: ``python -m bus.schemas`` writes them anew.
"""

import json
import re
from importlib.resources import files
from typing import Any

from bus import topics
from bus.messages import PATIENT_ID, Message
from bus.topics import Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KEYS = {
    "patient": {"type": "string", "pattern": f"^{PATIENT_ID.pattern}$", "description": "The patient id"},
    "alarm": {"type": "string", "description": "The alert's id"},
    "original": {
        "type": "string",
        "description": "The key of the original message; none where that was none or no text",
    },
}
_BINDING = "0.5.0"


def json_schemas() -> dict[str, str]:
    """The text of each JSON Schema file, by file name.

    They describe what is written: a field that a reader may leave out is always there.
    """
    models = dict.fromkeys(topic.model for topic in topics.TOPICS if topic.model is not None)
    return {
        _file_of(model): json.dumps({"$schema": DIALECT} | model.model_json_schema(mode="serialization"), indent=2)
        + "\n"
        for model in models
    }


def with_topics(document: dict[str, Any]) -> dict[str, Any]:
    """Return an AsyncAPI document with its channels, operations and JSON messages as the table of topics has them.

    What it says in words of topics that it knows stays; of a new one it says what the topic holds, and that it is sent.
    """
    components, channels = document["components"], document["channels"]
    messages = {"chunk": components["messages"]["chunk"]} | {
        _camel(topic.model.__name__): _message(topic, topic.model) for topic in topics.TOPICS if topic.model is not None
    }
    known = {operation["channel"]["$ref"]: (name, operation) for name, operation in document["operations"].items()}
    return document | {
        "channels": {
            (name := _camel(topic.short_name)): _channel(topic, channels.get(name, {})) for topic in topics.TOPICS
        },
        "operations": dict(_operation(topic, known) for topic in topics.TOPICS if _messages(topic)),
        "components": components | {"messages": messages},
    }


def published(name: str) -> str:
    """The text of a file of this package."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _channel(topic: Topic, known: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"cleanup.policy": [topic.cleanup]}
    if topic.retention_ms is not None:
        kept["retention.ms"] = topic.retention_ms
    return {
        "address": topic.name,
        "title": topic.short_name.replace("-", " ").capitalize(),
        "description": known.get("description", f"{topic.holds[0].upper()}{topic.holds[1:]}."),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
        "bindings": {"kafka": {"bindingVersion": _BINDING, "topicConfiguration": kept}},
    }


def _operation(topic: Topic, known: dict[str, tuple[str, Any]]) -> tuple[str, dict[str, Any]]:
    at = f"#/channels/{_camel(topic.short_name)}"
    name, found = known.get(at, (_camel(f"send-{topic.short_name}"), {"action": "send", "summary": topic.holds}))
    messages = [{"$ref": f"{at}/messages/{message}"} for message in _messages(topic)]
    return name, {
        "action": found["action"],
        "channel": {"$ref": at},
        "messages": messages,
        "summary": found["summary"],
    }


def _messages(topic: Topic) -> list[str]:
    if topic.model is not None:
        return [_camel(topic.model.__name__)]
    return ["chunk"] if topic.name == topics.SAMPLES else []


def _message(topic: Topic, model: type[Message]) -> dict[str, Any]:
    title = re.split(r"[:.]", model.__doc__ or model.__name__)[0]  # the first words of its description
    headers = {"headers": {"$ref": "#/components/schemas/verdictHeaders"}} if topic.timed else {}
    return {
        "name": model.__name__,
        "title": title,
        "contentType": "application/json",
        **headers,
        "payload": {"$ref": f"./{_file_of(model)}"},
        "bindings": {"kafka": {"bindingVersion": _BINDING, "key": dict(_KEYS[topic.key])}},
    }


def _camel(name: str) -> str:
    first, *others = name.split("-")
    return first[0].lower() + first[1:] + "".join(map(str.capitalize, others))


def _file_of(model: type[Message]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", model.__name__).lower() + ".schema.json"
