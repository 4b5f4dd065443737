"""The JSON contracts: every message downstream of the detector, as pydantic models.

Times are integer nanoseconds UTC of the recording's own clock. No message holds a wall-clock time of the
service that wrote it: the same samples give the same bytes.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ecg.findings import FindingKind, LethalKind
from ecg.urgency import AlarmPriority, AlarmState

MAX_PATIENT_ID = 128
# Not "." and "..": as parts of a path they are another place. Without looking ahead, which pydantic cannot.
_DOTLESS, _ANY = "[A-Za-z0-9_:@+-]", "[A-Za-z0-9._:@+-]"
PATIENT_ID = re.compile(rf"(?:{_DOTLESS}{_ANY}{{0,127}}|\.{_DOTLESS}{_ANY}{{0,126}}|\.\.{_ANY}{{1,126}})")

PatientId = Annotated[str, StringConstraints(pattern=rf"^{PATIENT_ID.pattern}$")]
Decision = Literal["normal", "abnormal", "unusable"]
BeatClass = Literal["N", "S", "V", "F", "Q"]
Probability = Annotated[float, Field(ge=0, le=1)]
# What an alarm may be about, beside the rhythm findings.
ScoreCondition = Literal["heart_rate_low", "heart_rate_high", "abnormal_window", "unusual_window"]
TechnicalCondition = Literal[
    "lead_off", "gap", "poor_signal", "silent_patient", "source_stopped", "several_devices", "input_refused"
]
Condition = FindingKind | ScoreCondition | TechnicalCondition
AlarmKind = Literal["physiological", "technical"]
# Why a message was refused.
RefusalCode = Literal[
    "undecodable",  # no message of its schema, or one that contradicts itself
    "unknown_schema",
    "no_key",
    "wrong_key",  # it names another patient than the message
    "wrong_partition",  # the sender's partitioner is another than Java's client's
    "index_jump",  # the device's clock does not bear out where the samples claim to be
    "clock",  # the time is one that cannot be
    "too_many_patients",
    "too_many_devices",  # under one patient id
    "other_device",  # a chunk or two of another device than those that send
    "command",  # what somebody asked for cannot be done
]
AlarmPhase = Literal["start", "continue", "update", "escalate", "de-escalate", "end"]
MAX_SILENCE_S = 86_400.0


class Message(BaseModel):
    """Base of all JSON messages: no unknown keys, immutable, bytes in and out."""

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
    ``beats``; both are null for a pause, an asystole and a ventricular flutter, which is found in the signal itself.
    """

    kind: FindingKind
    start_ns: int
    end_ns: int
    rate_bpm: float | None = None
    beats: int | None = None


class Quality(Message):
    """Quality of the judged lead's signal in the window.

    ``missing``, ``flat`` and ``clipped`` are fractions of the window's samples that were never received, lie on
    a flat line, or sit at the rail; ``noise`` is the probability that the lead is noise. ``flags`` names
    what crossed its limit; "unscored": a model of somebody's own gave no number for the window.
    """

    missing: Probability
    flat: Probability
    clipped: Probability
    noise: Probability
    flags: tuple[Literal["gap", "flat", "lead_off", "clipped", "noisy", "unscored"], ...] = ()

    @classmethod
    def of(cls, fractions: tuple[float, float, float, float], flags: tuple[str, ...]) -> Self:
        """Return the quality of ``(missing, flat, clipped, noise)``."""
        missing, flat, clipped, noise = fractions
        return cls.model_validate(
            {"missing": missing, "flat": flat, "clipped": clipped, "noise": noise, "flags": flags}
        )


class Continuity(Message):
    """Faults in the samples' order and time in the window.

    ``gap_before_s`` is signal that never came between the previous verdict and this window; ``missing_samples``
    counts within the window; ``duplicate_samples`` came twice and were dropped; ``clock_jump_ns`` is how far the
    device's clock jumped against its sample count, and ``clock_jumps_abs_ns`` the sum of its jumps in either
    direction: a clock that jumps and returns has not moved, and still it jumped.
    """

    gap_before_s: float = 0.0
    missing_samples: int = 0
    duplicate_samples: int = 0
    clock_jump_ns: int = 0
    clock_jumps_abs_ns: int = 0


class Evidence(Message):
    """Parts of an abnormal window that carried it, by the networks' own outputs.

    Parts of ``part_s`` seconds from the window's start. ``beats``: the highest probability of an abnormal beat by the
    CNN's map; ``shape``: the mean squared difference between the judged lead and the autoencoder's reconstruction, in
    normalised units.
    """

    part_s: float
    beats: tuple[float, ...]
    shape: tuple[float, ...]


class Verdict(Message):
    """The verdict on one window of one patient: topics ``ecg.windows`` and ``ecg.anomalies``.

    ``id`` is the patient, the start of the patient's stream and the window's number in it: the same for the same
    samples, always. A window begins ``hop_s`` after the one before: below 5 s they overlap, and what is counted or
    found (beats, findings, continuity) is told of the part that no window before it held. Scores are null where the
    window is unusable, ``evidence`` where it is not abnormal.

    How a beat is classed depends on the interval behind it, too. The last beat of a window is reported before that is
    known; where its class changes then, ``corrected`` of a later verdict holds the beat, with the same ``t_ns`` and its
    final class. Scores and findings of the window that reported it stay as they were (``bus.final_beats`` gives all
    beats their final classes).
    """

    schema_version: Literal[1] = 1
    id: str
    patient: PatientId
    device: str
    stream_start_ns: int
    window: int
    hop_s: int = 5
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
    corrected: Beat | None = None
    findings: tuple[Finding, ...] = ()
    heart_rate_bpm: float | None
    quality: Quality
    continuity: Continuity
    reasons: tuple[str, ...]
    evidence: Evidence | None = None
    models: dict[str, str]


class Urgent(Message):
    """A rhythm that kills within minutes, as soon as it is seen: topic ``ecg.urgent``, key = the patient.

    The detector looks every second at the newest four, whatever the windows. The verdict of the window in which it lies
    comes later and may say the same. At most one message tells of a second of a patient's stream.

    Attributes
    ----------
    id : the patient, the start of the patient's stream, and ``second`` with an "s": the same for the same samples
    second : where the look ends, s from the stream's first sample
    start_ns, end_ns : from where it is seen, to where the signal had come
    lead : which lead was judged
    value, limit, unit : what was measured, and the limit that it crossed
    quality : of that lead in the four seconds
    reasons : in words
    """

    schema_version: Literal[1] = 1
    id: str
    patient: PatientId
    device: str
    stream_start_ns: int
    second: int
    kind: LethalKind
    start_ns: int
    end_ns: int
    lead: str
    value: float
    limit: float
    unit: str
    quality: Quality
    reasons: tuple[str, ...]


class MdcCode(Message):
    """A term of ISO/IEEE 11073-10101: its reference id, and its code free of context (partition * 65536 + term)."""

    reference_id: str
    code: int


class Alert(Message):
    """The state of one alarm: topic ``ecg.alerts``, key = ``id``.

    An alarm is one condition of one patient, from its start to its end. All times are of the recording.

    Attributes
    ----------
    id : the same over the alarm's life: of the verdict or urgent message that started it, and the condition
    sequence : numbers the messages of one alarm: 0, 1, 2 and so on
    condition, label, mdc : what is wrong: for programs, for people, and by its code where the standard has one
    kind : about the patient, or about the signal and the system
    phase : what this message tells: IHE PCD-04 calls them so
    state : where the alarm stands after it. "latched": the condition has gone and nobody has acknowledged
    priority : as it is now; an alarm nobody acknowledges may be raised above its rule's
    escalations : how often it was escalated since it was last attended to
    onset_ns, last_ns : from where to where the condition was seen
    returned_ns : where it was last seen to come back after it had gone, null before
    detected_ns, told_ns : up to where the stream had come when the alarm started, and with this message
    end_ns : when the alarm ended, null before
    windows : in which the condition was seen; 0 while only looks between the windows have shown it
    score, threshold : the highest fused score, and its limit
    value, limit, unit : what was measured when it was last seen, and the limit that it crossed
    lead, models, quality, verdict : those of the last window or look in which it was seen; ``verdict`` is the id of
        either's message
    """

    schema_version: Literal[2] = 2
    id: str
    sequence: int
    patient: PatientId
    device: str
    lead: str | None
    condition: Condition
    label: str
    mdc: MdcCode | None
    kind: AlarmKind
    phase: AlarmPhase
    state: AlarmState
    priority: AlarmPriority
    escalations: int
    onset_ns: int
    last_ns: int
    returned_ns: int | None
    detected_ns: int
    told_ns: int
    end_ns: int | None
    windows: int
    score: Probability | None
    threshold: Probability | None
    value: float | None
    limit: float | None
    unit: str | None
    heart_rate_bpm: float | None
    quality: Quality | None
    models: dict[str, str]
    reasons: tuple[str, ...]
    verdict: str
    acknowledged_by: str | None
    acknowledged_ns: int | None
    silenced_by: str | None
    silenced_until_ns: int | None


class AlertCommand(Message):
    """A person's command about an alarm: topic ``ecg.alert-commands``, key = the patient.

    Attributes
    ----------
    id : unique; a command that comes again under its id takes effect once
    action : "acknowledge" takes an alarm as seen; "silence" holds its sound until its end; "unsilence" gives it back
    alert : the alarm that is meant; null for a patient's all, which cannot be acknowledged at once
    by : who
    duration_s : how long "silence" lasts, in the recording's time, s
    sent_ns : when it was sent, wall time of the sender, ns UTC: one from the future is refused
    """

    schema_version: Literal[1] = 1
    id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    patient: PatientId
    action: Literal["acknowledge", "silence", "unsilence"]
    alert: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = None
    by: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    duration_s: Annotated[float, Field(ge=1, le=MAX_SILENCE_S)] | None = None
    sent_ns: int

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.action == "acknowledge" and self.alert is None:
            raise ValueError("acknowledge names no alert: acknowledge each by its id")
        if (self.action == "silence") != (self.duration_s is not None):
            raise ValueError(f"duration_s={self.duration_s} with {self.action}: silence alone has one, and must")
        return self


class BeatReview(Message):
    """A person's decision on a beat: topic ``ecg.beat-reviews``, key = the patient. The last on a beat counts.

    Attributes
    ----------
    t_ns : time of the beat, as a verdict has it, ns UTC; of one that the detector missed, where a person saw it
    decision : "accept" the detector's class, "reject" (there is no beat), "reclass" (another class, or a missed beat),
        "withdraw" what was decided before
    beat_class : ``class`` in JSON: the right class with "reclass", else null
    detected : the detector's class, as the person saw it; null where it found no beat
    by : who
    sent_ns : when it was sent, wall time of the sender, ns UTC
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null", populate_by_name=True)

    schema_version: Literal[1] = 1
    patient: PatientId
    t_ns: Annotated[int, Field(ge=0)]
    decision: Literal["accept", "reject", "reclass", "withdraw"]
    beat_class: BeatClass | None = Field(default=None, alias="class")
    detected: BeatClass | None = None
    by: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    sent_ns: int

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.decision == "reclass") != (self.beat_class is not None):
            raise ValueError(f"class={self.beat_class} with {self.decision}: reclass alone has one, and must")
        return self


class DeadLetter(Message):
    """A refused message: topic ``ecg.dead-letters``, key = the original key where it is text.

    ``value_base64`` holds the original bytes, cut at 64 KiB; ``value_bytes`` is their full count. A sender of nothing
    but bad messages is told of in one letter every ten seconds.

    Attributes
    ----------
    code : why, for programs; null in letters of older releases
    patient : whom the message or its key names, where that is a patient id
    count : how many messages the letter stands for; its place, key and reason are of the last of them
    first_offset : where the first of several lies
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
    code: RefusalCode | None = None
    patient: PatientId | None = None
    count: Annotated[int, Field(ge=1)] = 1
    first_offset: int | None = None
