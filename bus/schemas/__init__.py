"""The published contracts: Avro for samples, JSON Schema for the rest, and AsyncAPI for the whole.

The JSON Schemas are made from the models of ``bus.messages`` by ``python -m bus.schemas``.
"""

import json
from importlib.resources import files

from bus.messages import Alert, AlertCommand, DeadLetter, Message, Urgent, Verdict

MODELS: dict[str, type[Message]] = {
    "alert-command.schema.json": AlertCommand,
    "alert.schema.json": Alert,
    "dead-letter.schema.json": DeadLetter,
    "urgent.schema.json": Urgent,
    "verdict.schema.json": Verdict,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, str]:
    """The text of each JSON Schema file, by file name.

    They describe what is written: a field that a reader may leave out is always there.
    """
    return {
        name: json.dumps({"$schema": DIALECT} | model.model_json_schema(mode="serialization"), indent=2) + "\n"
        for name, model in MODELS.items()
    }


def published(name: str) -> str:
    """The text of a file of this package."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
