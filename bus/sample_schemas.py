"""The Avro schemas of samples messages: the one that is written, and every other that can be read into it.

A message names its writer's schema by fingerprint. Chunks are read by the schema ``ecg.samples.avsc``: what another
version adds is passed over, what it lacks has a default there (Avro's schema resolution).
"""

import io
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastavro
from fastavro.utils import generate_many

from ecg.errors import EcgStreamError

TRIALS = 20  # records of a schema that must resolve: each takes another branch of its unions

Schema = dict[str, Any]
_write: Callable[..., None] = fastavro.schemaless_writer
_read: Callable[..., Any] = fastavro.schemaless_reader


class SchemaError(EcgStreamError):
    """A schema whose chunks cannot be read."""


def fingerprint_of(schema: Schema) -> bytes:
    """The CRC-64-AVRO fingerprint of a schema, as it stands in the message: 8 bytes."""
    return bytes.fromhex(fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(schema), "CRC-64-AVRO"))


CURRENT: Schema = json.loads(files("bus").joinpath("schemas/ecg.samples.avsc").read_text(encoding="utf-8"))
READER = fastavro.parse_schema(CURRENT)
FINGERPRINT = fingerprint_of(CURRENT)


def versions() -> Iterator[tuple[str, Schema]]:
    """Name and schema of every version that this release knows, in order."""
    folder = files("bus").joinpath("schemas/samples")
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        yield file.name, json.loads(file.read_text(encoding="utf-8"))


def check_readable(schema: Schema, *, name: str) -> None:
    """Refuse a writer's schema whose records cannot be read as chunks.

    Raises
    ------
    SchemaError : when it is no Avro schema, or a field is missing or of another type
    """
    try:
        parsed = fastavro.parse_schema(schema)
        for record in generate_many(schema, TRIALS):
            out = io.BytesIO()
            _write(out, parsed, record)
            out.seek(0)
            _read(out, parsed, READER)
    except Exception as error:  # fastavro raises many kinds
        raise SchemaError(
            f"{name} cannot be read as ecg.samples.avsc: {error!r}: keep the record's name and its fields, add fields "
            "at will, and leave out none but those with a default"
        ) from error


class WriterSchemas:
    """The schemas other than the present one in which chunks may come, by fingerprint."""

    def __init__(self) -> None:
        self._parsed = {fingerprint_of(schema): fastavro.parse_schema(schema) for _, schema in versions()}

    def get(self, fingerprint: bytes) -> Any:
        """The parsed schema of a fingerprint; None when nobody registered one."""
        return self._parsed.get(fingerprint)

    def add_all(self, folder: Path) -> None:
        """Take in every ``.avsc`` file of a folder.

        Raises
        ------
        SchemaError : when there is no such folder, or a schema's chunks could not be read
        """
        if not folder.is_dir():
            raise SchemaError(f"ECGSTREAM_SCHEMAS_DIR={folder} is not a folder: give one with .avsc files, or unset it")
        for path in sorted(folder.glob("*.avsc")):
            try:
                schema = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise SchemaError(f"{path} cannot be read as JSON: {error}") from error
            check_readable(schema, name=str(path))
            self._parsed[fingerprint_of(schema)] = fastavro.parse_schema(schema)


# Of the process: whoever decodes a chunk must know all of them.
WRITER_SCHEMAS = WriterSchemas()
