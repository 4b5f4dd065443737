"""Where alerting stands: the records of the compacted topic ``ecg.alerting-progress``.

One record per partition holds the next verdict's offset; one per patient with trouble holds the patient's state.
They are written in the transaction that writes the alerts, so they always fit each other.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alerting.episodes import PatientState
from ecg.errors import EcgStreamError

# Not a patient id: "/" may not stand in one.
PARTITION_KEY = b"/partition"


class BadProgressError(EcgStreamError):
    """A progress record that this program cannot read."""


class PartitionProgress(BaseModel):
    """The offset of the first verdict that is not in the state yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    next_offset: int = Field(ge=0)


def restore(records: Mapping[bytes, bytes]) -> tuple[int | None, dict[str, PatientState]]:
    """The offset to resume at, None for the beginning, and the patients' states by patient.

    Raises
    ------
    BadProgressError : when a record is none of this version
    """
    next_offset: int | None = None
    states: dict[str, PatientState] = {}
    for key, value in records.items():
        try:
            if key == PARTITION_KEY:
                next_offset = PartitionProgress.model_validate_json(value).next_offset
            else:
                state = PatientState.model_validate_json(value)
                states[state.patient] = state
        except ValidationError as error:
            raise BadProgressError(
                f"progress record {value[:60]!r} of {key[:40]!r} cannot be read by this release: "
                "run the release that wrote it, or delete the topic ecg.alerting-progress and judge all verdicts anew"
            ) from error
    return next_offset, states
