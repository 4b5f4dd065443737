"""Alerting's progress: the records of the compacted topic ``ecg.alerting-progress``.

One record per partition holds the next offsets of verdicts, commands, urgent messages and dead letters; one per patient
holds the patient's state; some hold the alarms that have ended and are still on the topic. They are written in the
transaction that writes the alerts, so they always fit each other.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from alerting.state import PatientState
from bus import topics
from ecg.errors import EcgStreamError

# Not a patient id: "/" may not stand in one.
PARTITION_KEY = b"/partition"
# By topic, the field of its offset in a partition's record.
OFFSETS = {
    topics.WINDOWS: "next_offset",
    topics.ALERT_COMMANDS: "next_command",
    topics.URGENT: "next_urgent",
    topics.DEAD_LETTERS: "next_letter",
}
ENDED_PREFIX = b"/ended/"  # and a number: alarms that have ended, see ``alerting.ended_alarms``


class BadProgressError(EcgStreamError):
    """A progress record that this program cannot read."""


class PartitionProgress(BaseModel):
    """The offsets of the first verdict, command and urgent message that are not in the state yet.

    ``refused`` holds the senders of bad messages, as ``bus.quarantine`` dumps them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[2] = 2
    next_offset: int = Field(ge=0)
    next_command: int | None = Field(default=None, ge=0)
    next_urgent: int | None = Field(default=None, ge=0)  # records of the release before do not have it
    next_letter: int | None = Field(default=None, ge=0)  # nor this
    refused: tuple[Any, ...] = ()

    @property
    def offsets(self) -> dict[str, int]:
        """The offsets by topic."""
        found = {topic: getattr(self, name) for topic, name in OFFSETS.items()}
        return {topic: offset for topic, offset in found.items() if offset is not None}


class PatientProgress(BaseModel):
    """A patient's state as it is kept. Records of version 2 are read, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[3] = 3
    state: PatientState

    @model_validator(mode="before")
    @classmethod
    def _of_any_version(cls, record: Any) -> Any:
        if isinstance(record, dict) and record.get("schema_version") == 2 and isinstance(record.get("state"), dict):
            return record | {"schema_version": 3, "state": _of_version_2(record["state"])}
        return record


def _of_version_2(state: dict[str, Any]) -> dict[str, Any]:
    """A patient's state of version 2, which knew of one stream only."""
    missing = {"stream_start_ns", "window", "start_ns", "recent"} - state.keys()
    if missing:
        return state
    kept = {
        name: value for name, value in state.items() if name not in {"stream_start_ns", "window", "start_ns", "recent"}
    }
    stream = {
        "device": state["device"],
        "start_ns": state["stream_start_ns"],
        "first": 0,
        "window": state["window"],
        "claimed_ns": state["seen_ns"],
        "seen_ns": state["seen_ns"],
        "recent": state["recent"],
    }
    heard = state["window"] >= 0  # before its first window, an urgent message alone was heard
    return kept | {"spent_ns": state["seen_ns"], "streams": [stream] if heard else []}


def dump(state: PatientState) -> bytes:
    """A patient's state as a record."""
    return PatientProgress(state=state).model_dump_json().encode()


class Restored(NamedTuple):
    """Contents of a partition's records.

    Attributes
    ----------
    place : where to resume, None for the beginning
    patients : the patients' states by patient
    ended : the records of alarms that have ended, by key
    """

    place: PartitionProgress | None
    patients: dict[str, PatientState]
    ended: dict[bytes, bytes]


def restore(records: Mapping[bytes, bytes]) -> Restored:
    """Read the records of a partition.

    Raises
    ------
    BadProgressError : when a record is neither of this version nor of the one before
    """
    progress: PartitionProgress | None = None
    states: dict[str, PatientState] = {}
    ended: dict[bytes, bytes] = {}
    for key, value in records.items():
        try:
            if key == PARTITION_KEY:
                progress = PartitionProgress.model_validate_json(value)
            elif key.startswith(ENDED_PREFIX):
                ended[key] = value
            else:
                state = PatientProgress.model_validate_json(value).state
                states[state.patient] = state
        except ValidationError as error:
            raise BadProgressError(
                f"progress record {value[:60]!r} of {key[:40]!r} cannot be read by this release: "
                "run the release that wrote it, or delete the topic ecg.alerting-progress and judge all verdicts anew"
            ) from error
    return Restored(progress, states, ended)
