"""A backup's files: each partition's messages in an Avro object container, and a manifest that is written last."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import fastavro
from fastavro.write import Writer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ecg.errors import EcgStreamError

MANIFEST = "manifest.json"
FOLDER_MODE = 0o700  # patients' data
_FILE_MODE = 0o600
_SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "KafkaMessage",
        "namespace": "ecgstream",
        "fields": [
            {"name": "offset", "type": "long"},
            {"name": "timestamp_ms", "type": "long"},
            {"name": "key", "type": ["null", "bytes"]},
            {"name": "value", "type": ["null", "bytes"]},
            {
                "name": "headers",
                "type": {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "Header",
                        "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": ["null", "bytes"]}],
                    },
                },
            },
        ],
    }
)


class BackupError(EcgStreamError):
    """A folder that is no whole backup, or a place where none can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message as it lay on a topic.

    ``timestamp_ms`` is when the broker got it, ms UTC.
    """

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class StoredPartition(BaseModel):
    """A partition's file: its name, its SHA-256, and how many messages lie in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str
    messages: int = Field(ge=0)


class Manifest(BaseModel):
    """Contents of a backup.

    ``topics`` has each topic's partitions in order, named as ``bus.topics`` does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(default=1, ge=1, le=1)
    made_ns: int
    prefix: str
    topics: dict[str, tuple[StoredPartition, ...]]

    @property
    def partitions(self) -> int:
        """Number of partitions of each topic."""
        return len(next(iter(self.topics.values())))

    @property
    def messages(self) -> int:
        """Number of messages in it."""
        return sum(partition.messages for stored in self.topics.values() for partition in stored)


@dataclass(slots=True)
class PartitionFile:
    """A partition's file while it is written, in ``with``."""

    path: Path
    messages: int = 0
    _file: Any = field(default=None, init=False)
    _writer: Any = field(default=None, init=False)

    def __enter__(self) -> Self:
        self._file = self.path.open("xb")
        self.path.chmod(_FILE_MODE)
        self._writer = Writer(self._file, _SCHEMA, codec="deflate")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self._writer.flush()
        self._file.close()

    def add(self, message: StoredMessage) -> None:
        """Write a message."""
        headers = [{"name": name, "value": value} for name, value in message.headers]
        self._writer.write(
            {
                "offset": message.offset,
                "timestamp_ms": message.timestamp_ms,
                "key": message.key,
                "value": message.value,
                "headers": headers,
            }
        )
        self.messages += 1

    def stored(self) -> StoredPartition:
        """Return what the manifest says of the file, once it is closed."""
        return StoredPartition(file=self.path.name, sha256=_sha256(self.path), messages=self.messages)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Make the folder of a backup.

    Raises
    ------
    BackupError : when it is there already, or cannot be made
    """
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True)
        yield folder
    except FileExistsError:
        raise BackupError(f"{folder} is there already: name a folder that is not, for each backup its own") from None
    except OSError as error:
        raise BackupError(f"{folder}: {error.strerror}: name a folder that can be made and written") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, without which a folder is no backup."""
    path = folder / MANIFEST
    path.write_text(manifest.model_dump_json(indent=1) + "\n")
    path.chmod(_FILE_MODE)


def read_manifest(folder: Path) -> Manifest:
    """Return a backup's manifest, once every file was found to be what it says.

    Raises
    ------
    BackupError : when something is missing or was changed
    """
    try:
        manifest = Manifest.model_validate(json.loads((folder / MANIFEST).read_bytes()))
    except OSError as error:
        raise BackupError(
            f"{folder / MANIFEST}: {error.strerror}: the folder holds no backup, or one that was cut off: name another"
        ) from error
    except (ValueError, ValidationError) as error:
        raise BackupError(
            f"{folder / MANIFEST} is no manifest of this release: restore with the one that made it"
        ) from (error)
    for stored in (each for partitions in manifest.topics.values() for each in partitions):
        path = folder / stored.file
        if not path.is_file() or _sha256(path) != stored.sha256:
            raise BackupError(f"{path} is missing or was changed since the backup was made: take another copy of it")
    return manifest


def read_messages(folder: Path, stored: StoredPartition) -> Iterator[StoredMessage]:
    """Give a partition's messages in order."""
    with (folder / stored.file).open("rb") as file:
        for read in fastavro.reader(file):
            fields: dict[str, Any] = dict(read)  # type: ignore[arg-type]  # a record: the schema says so
            headers = tuple((each["name"], each["value"]) for each in fields.pop("headers"))
            yield StoredMessage(headers=headers, **fields)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
