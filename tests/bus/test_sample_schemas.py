import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from bus.sample_schemas import (
    CURRENT,
    FINGERPRINT,
    WRITER_SCHEMAS,
    SchemaError,
    check_readable,
    fingerprint_of,
    versions,
)
from bus.samples import MARKER, BadChunkError, decode
from tests.bus.poison import GOOD

# A message of each version that was ever written, as it lay in the topic. Never to be changed: rows are added.
KEPT = {
    "1.avsc": (
        "c3010988baebbd0dc36f04703108746573748080d0e2c6bfce972f00000000000080764004084d4c494904563500046d5604"
        "000000000000694000000000000069400004801080100004100100020003000080"
    ),
    "2.avsc": (
        "c30151720d9e0fba595504703108746573748080d0e2c6bfce972f00000000000080764004084d4c494904563500046d5604"
        "000000000000694000000000000069400004801080100004100100020003000080f681d0e2c6bfce972f"
    ),
}


def message(schema: dict[str, Any], **more: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), GOOD | {"count": 2, "samples": bytes(8)} | more)
    return MARKER + fingerprint_of(schema) + out.getvalue()


def changed(**fields: dict[str, Any] | None) -> dict[str, Any]:
    """The present schema with fields added, replaced or (None) left out."""
    kept = [field for field in CURRENT["fields"] if field["name"] not in fields]
    return CURRENT | {"fields": [*kept, *({"name": name} | field for name, field in fields.items() if field)]}


def test_the_present_schema_is_kept_as_a_version() -> None:
    known = {fingerprint_of(schema) for _, schema in versions()}
    assert FINGERPRINT in known, "ecg.samples.avsc was changed: add it as a new file to bus/schemas/samples"


@pytest.mark.parametrize(("name", "schema"), list(versions()), ids=lambda each: each if isinstance(each, str) else "")
def test_every_version_is_read(name: str, schema: dict[str, Any]) -> None:
    check_readable(schema, name=name)
    assert name in KEPT, "keep a message of the version here"
    value = bytes.fromhex(KEPT[name])
    assert value[:10] == MARKER + fingerprint_of(schema)
    chunk = decode(value, key=b"p1")
    assert (chunk.patient, chunk.device, chunk.leads) == ("p1", "test", ("MLII", "V5"))
    assert chunk.samples.tolist() == [[1, 2], [3, -32768]]


def test_a_registered_schema_is_read_and_another_is_refused(tmp_path: Path) -> None:
    newer = changed(room={"type": ["null", "string"], "default": None})
    older = changed(unit=None)
    for name, schema in (("newer", newer), ("older", older)):
        with pytest.raises(BadChunkError, match="ECGSTREAM_SCHEMAS_DIR") as caught:
            decode(message(schema))
        assert caught.value.refusal.code == "unknown_schema"
        (tmp_path / f"{name}.avsc").write_text(json.dumps(schema))
    WRITER_SCHEMAS.add_all(tmp_path)
    assert decode(message(newer, room="12")).patient == "p1"
    assert decode(message(older)).patient == "p1"


@pytest.mark.parametrize(
    "schema",
    [
        changed(start_index=None),
        changed(start_ns={"type": "string"}),
        changed(samples={"type": ["null", "bytes"]}),
        CURRENT | {"name": "Piece"},
        {"type": "record"},
        {},
    ],
    ids=["a field without default is missing", "another type", "a null", "another record", "no fields", "no schema"],
)
def test_a_schema_that_could_not_be_read_is_refused_at_the_start(tmp_path: Path, schema: dict[str, Any]) -> None:
    (tmp_path / "x.avsc").write_text(json.dumps(schema))
    with pytest.raises(SchemaError, match=r"x\.avsc cannot be read as ecg\.samples\.avsc.*keep the record's name"):
        WRITER_SCHEMAS.add_all(tmp_path)


def test_a_folder_that_is_none_or_holds_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="is not a folder"):
        WRITER_SCHEMAS.add_all(tmp_path / "none")
    (tmp_path / "x.avsc").write_text("{")
    with pytest.raises(SchemaError, match="cannot be read as JSON"):
        WRITER_SCHEMAS.add_all(tmp_path)
