"""``python -m bus.schemas`` writes the JSON Schemas and the AsyncAPI document anew from the table of topics."""

from pathlib import Path

import yaml

from bus.schemas import json_schemas, published, with_topics

ASYNCAPI = "asyncapi.yaml"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as it is read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)

document = with_topics(yaml.safe_load(published(ASYNCAPI)))
written = json_schemas() | {
    ASYNCAPI: yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=118, allow_unicode=True)
}
for name, text in written.items():
    (Path(__file__).parent / name).write_text(text, encoding="utf-8")
