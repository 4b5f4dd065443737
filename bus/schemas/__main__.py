"""``python -m bus.schemas`` writes the JSON Schemas anew from the models."""

from pathlib import Path

from bus.schemas import json_schemas

for name, text in json_schemas().items():
    (Path(__file__).parent / name).write_text(text, encoding="utf-8")
