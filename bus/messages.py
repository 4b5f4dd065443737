"""The JSON contracts: every message downstream of the detector, as pydantic models.

Times are integer nanoseconds UTC of the recording's own clock. No message holds a wall-clock time of the
service that wrote it: the same samples give the same bytes.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ecg.findings import FindingKind

MAX_PATIENT_ID = 128
PATIENT_ID = re.compile(r"[A-Za-z0-9._:@+-]{1,128}")

PatientId = Annotated[str, StringConstraints(pattern=rf"^{PATIENT_ID.pattern}$")]
Decision = Literal["normal", "abnormal", "unusable"]
BeatClass = Literal["N", "S", "V", "F", "Q"]
Probability = Annotated[float, Field(ge=0, le=1)]


class Message(BaseModel):
    """What all JSON messages share: no unknown keys, immutable, bytes in and out."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")

    def to_bytes(self) -> bytes:
        """The message as UTF-8 JSON."""
        return self.model_dump_json(by_alias=True).encode()

    def as_json(self) -> dict[str, Any]:
        """The message as a JSON object."""
        return self.model_dump(mode="json", by_alias=True)


class Beat(Message):
    """One heartbeat.

    ``beat_class`` (``class`` in JSON) is the AAMI class (ANSI/AAMI EC57), null where no model classified the
    beat; ``confidence`` is the model's probability of that class.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null", populate_by_name=True)

    t_ns: int
    beat_class: BeatClass | None = Field(default=None, alias="class")
    confidence: Probability | None = None


class Finding(Message):
    """A stretch of rhythm that has a name, as far as it has come.

    A finding that spans windows stands in each verdict in whose window it began or grew, always with the same
    ``start_ns``; a couplet may grow into a run and a run into a tachycardia. ``rate_bpm`` is the mean rate of its
    ``beats``; both are null for a pause and an asystole.
    """

    kind: FindingKind
    start_ns: int
    end_ns: int
    rate_bpm: float | None = None
    beats: int | None = None


class Quality(Message):
    """How far the judged lead's signal in the window can be trusted.

    ``missing``, ``flat`` and ``clipped`` are fractions of the window's samples that were never received, lie on
    a flat line, or sit at the rail; ``noise`` is the share of power that is not ECG. ``flags`` names
    what crossed its limit.
    """

    missing: Probability
    flat: Probability
    clipped: Probability
    noise: Probability
    flags: tuple[Literal["gap", "flat", "lead_off", "clipped", "noisy"], ...] = ()


class Continuity(Message):
    """What was wrong with the samples' order and time in the window.

    ``gap_before_s`` is signal that never came between the previous verdict and this window; ``missing_samples``
    counts within the window; ``duplicate_samples`` came twice and were dropped; ``clock_jump_ns`` is how far the
    device's clock jumped against its sample count.
    """

    gap_before_s: float = 0.0
    missing_samples: int = 0
    duplicate_samples: int = 0
    clock_jump_ns: int = 0


class Verdict(Message):
    """The verdict on one window of one patient: topics ``ecg.windows`` and ``ecg.anomalies``.

    ``id`` is the patient, the start of the patient's stream and the window's number in it: the same for the same
    samples, always. Scores are null where the window is unusable.
    """

    schema_version: Literal[1] = 1
    id: str
    patient: PatientId
    device: str
    stream_start_ns: int
    window: int
    start_ns: int
    end_ns: int
    fs_hz: float
    leads: tuple[str, ...]
    lead: str | None
    decision: Decision
    cnn: Probability | None
    autoencoder: Probability | None
    autoencoder_error: float | None
    fused: Probability | None
    threshold: Probability
    beats: tuple[Beat, ...]
    findings: tuple[Finding, ...] = ()
    heart_rate_bpm: float | None
    quality: Quality
    continuity: Continuity
    reasons: tuple[str, ...]
    models: dict[str, str]


class Alert(Message):
    """The state of one alert: topic ``ecg.alerts``, key = ``id``.

    An alert is one episode, however many windows it spans. ``phase`` says what this message tells: the start,
    a continuation (the episode has grown) or the end.
    """

    schema_version: Literal[1] = 1
    id: str
    sequence: int
    patient: PatientId
    device: str
    phase: Literal["start", "continue", "end"]
    kind: Literal["physiological", "technical"]
    priority: Literal["high", "medium", "low"]
    onset_ns: int
    last_ns: int
    end_ns: int | None
    windows: int
    score: Probability | None
    threshold: Probability | None
    heart_rate_bpm: float | None
    reasons: tuple[str, ...]
    verdict: str


class DeadLetter(Message):
    """What could not be decoded: topic ``ecg.dead-letters``, key = the original key where it is text.

    ``value_base64`` holds the original bytes, cut at 64 KiB; ``value_bytes`` is their full count.
    """

    schema_version: Literal[1] = 1
    service: str
    reason: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key_base64: str | None
    value_bytes: int
    value_base64: str | None
