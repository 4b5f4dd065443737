import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no type information
import pytest
import yaml

from bus import topics
from bus.messages import PATIENT_ID, AlertCommand, BeatReview, Continuity, DeadLetter, Message, Quality, Urgent, Verdict
from bus.schemas import json_schemas, published, with_topics
from detector.publishing import INGEST_HEADER
from tests.alerting.alerts import alert

DOCUMENT: dict[str, Any] = yaml.safe_load(published("asyncapi.yaml"))
BY_ADDRESS: dict[str, dict[str, Any]] = {channel["address"]: channel for channel in DOCUMENT["channels"].values()}

VERDICT = Verdict(
    id="p1/0/3",
    patient="p1",
    device="monitor",
    stream_start_ns=0,
    window=3,
    start_ns=15_000_000_000,
    end_ns=20_000_000_000,
    fs_hz=360.0,
    leads=("MLII",),
    lead="MLII",
    decision="normal",
    cnn=0.1,
    autoencoder=None,
    autoencoder_error=None,
    fused=0.1,
    threshold=0.5,
    beats=(),
    heart_rate_bpm=None,
    quality=Quality(missing=0, flat=0, clipped=0, noise=0),
    continuity=Continuity(),
    reasons=(),
    models={},
)
URGENT = Urgent(
    id="p1/0/17s",
    patient="p1",
    device="monitor",
    stream_start_ns=0,
    second=17,
    kind="asystole",
    start_ns=13_000_000_000,
    end_ns=17_000_000_000,
    lead="MLII",
    value=4.0,
    limit=4.0,
    unit="s",
    quality=Quality(missing=0, flat=0, clipped=0, noise=0),
    reasons=("no QRS in 4 s",),
)
ALERT = alert()
REVIEW = BeatReview(patient="p1", t_ns=0, decision="reclass", beat_class="V", by="Ada", sent_ns=0)
COMMAND = AlertCommand(id="c1", patient="p1", action="silence", by="Ada", duration_s=60, sent_ns=0)
LETTER = DeadLetter(
    service="detector",
    reason="empty",
    topic="ecg.samples",
    partition=0,
    offset=1,
    timestamp_ms=2,
    key_base64=None,
    value_bytes=0,
    value_base64=None,
)
EXAMPLES: dict[str, Message] = {
    "verdict.schema.json": VERDICT,
    "urgent.schema.json": URGENT,
    "alert.schema.json": ALERT,
    "alert-command.schema.json": COMMAND,
    "beat-review.schema.json": REVIEW,
    "dead-letter.schema.json": LETTER,
}


def resolved(reference: str) -> Any:
    """The part of the document that a reference points at."""
    if not reference.startswith("#"):
        return json.loads(published(reference.removeprefix("./")))
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [reference for value in node.values() for reference in references(value)]
    return [reference for value in node for reference in references(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("name", json_schemas())
def test_the_schema_files_are_those_of_the_models(name: str) -> None:
    assert published(name) == json_schemas()[name], "run 'python -m bus.schemas'"


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_written_fits_its_schema(name: str) -> None:
    schema = json.loads(published(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    written = json.loads(EXAMPLES[name].to_bytes())
    jsonschema.validate(written, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written | {"surprise": 1}, schema)


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert len(found) > 10
    for reference in found:
        assert resolved(reference)


def test_every_topic_is_there_and_kept_as_the_program_keeps_it() -> None:
    assert BY_ADDRESS.keys() == {topic.name for topic in topics.TOPICS}
    for topic in topics.TOPICS:
        kept = BY_ADDRESS[topic.name]["bindings"]["kafka"]["topicConfiguration"]
        assert kept["cleanup.policy"] == [topic.cleanup]
        assert kept.get("retention.ms") == topic.retention_ms


def test_the_document_is_that_of_the_table() -> None:
    assert with_topics(DOCUMENT) == DOCUMENT, "run 'python -m bus.schemas'"


def test_each_model_of_the_table_has_its_schema_and_an_example() -> None:
    models = {topic.model for topic in topics.TOPICS if topic.model is not None}
    assert {type(example) for example in EXAMPLES.values()} == models
    assert json_schemas().keys() == EXAMPLES.keys()


@pytest.mark.parametrize(
    ("topic", "schema"),
    [
        (topics.WINDOWS, "verdict.schema.json"),
        (topics.ANOMALIES, "verdict.schema.json"),
        (topics.URGENT, "urgent.schema.json"),
        (topics.SHADOW_WINDOWS, "verdict.schema.json"),
        (topics.ALERTS, "alert.schema.json"),
        (topics.ALERT_COMMANDS, "alert-command.schema.json"),
        (topics.BEAT_REVIEWS, "beat-review.schema.json"),
        (topics.DEAD_LETTERS, "dead-letter.schema.json"),
    ],
)
def test_each_json_topic_names_its_schema(topic: str, schema: str) -> None:
    (message,) = BY_ADDRESS[topic]["messages"].values()
    assert resolved(message["$ref"])["payload"] == {"$ref": f"./{schema}"}


def test_every_service_uses_the_topics_that_it_used() -> None:
    assert [topics.used_by(service) for service in ("producer", "detector", "alerting", "web")] == [
        (topics.SAMPLES,),
        (
            topics.SAMPLES,
            topics.WINDOWS,
            topics.ANOMALIES,
            topics.URGENT,
            topics.SHADOW_WINDOWS,
            topics.DEAD_LETTERS,
            topics.DETECTOR_PROGRESS,
        ),
        (
            topics.SAMPLES,
            topics.WINDOWS,
            topics.URGENT,
            topics.ALERTS,
            topics.ALERT_COMMANDS,
            topics.DEAD_LETTERS,
            topics.ALERTING_PROGRESS,
        ),
        (
            topics.SAMPLES,
            topics.WINDOWS,
            topics.ALERTS,
            topics.ALERT_COMMANDS,
            topics.BEAT_REVIEWS,
            topics.DEAD_LETTERS,
        ),
    ]


def test_samples_name_the_avro_schema() -> None:
    (message,) = BY_ADDRESS[topics.SAMPLES]["messages"].values()
    payload = resolved(message["$ref"])["payload"]
    assert payload["schemaFormat"].startswith("application/vnd.apache.avro")
    assert payload["schema"] == {"$ref": "./ecg.samples.avsc"}


@pytest.mark.parametrize(
    "topic", [topics.SAMPLES, topics.WINDOWS, topics.ANOMALIES, topics.URGENT, topics.SHADOW_WINDOWS]
)
def test_the_key_is_the_patient_id(topic: str) -> None:
    (message,) = BY_ADDRESS[topic]["messages"].values()
    pattern = resolved(message["$ref"])["bindings"]["kafka"]["key"]["pattern"]
    assert re.fullmatch(r"\^(.*)\$", pattern)
    assert pattern == f"^{PATIENT_ID.pattern}$"


def test_the_header_of_a_verdict_is_the_one_that_is_sent() -> None:
    headers = resolved(DOCUMENT["components"]["messages"]["verdict"]["headers"]["$ref"])
    assert headers["properties"].keys() == {INGEST_HEADER}


def test_every_message_is_sent_or_received_by_an_operation() -> None:
    used = {
        reference for operation in DOCUMENT["operations"].values() for reference in references(operation["messages"])
    }
    offered = {
        f"#/channels/{name}/messages/{message}"
        for name, channel in DOCUMENT["channels"].items()
        for message in channel["messages"]
    }
    assert used == offered
    assert {operation["action"] for operation in DOCUMENT["operations"].values()} == {"send", "receive"}
