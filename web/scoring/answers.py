"""Answers of scoring: the JSON of ``ecgstream score`` with a recording's id and links."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bus.messages import BeatClass, Decision, Quality
from ecg.urgency import AlarmPriority
from ops.problems import Problem
from web.scoring.questionnaire import Questionnaire


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OfRow(_Answer):
    """Something found; ``row`` says in which window of an ``.npy`` file of windows."""

    row: int | None = None


class ScoredWindow(_OfRow):
    """Five seconds judged on one lead; times are s from the recording's start, scores probabilities."""

    start_s: float
    end_s: float
    lead: str | None
    decision: Decision
    cnn: float | None
    autoencoder: float | None
    fused: float | None
    heart_rate_bpm: float | None
    quality: Quality
    reasons: list[str]


class ScoredBeat(_OfRow):
    """A beat: its time in s, its AAMI class, and the probability of that class."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    t_s: float
    beat_class: BeatClass | None = Field(alias="class")
    confidence: float | None


class ScoredFinding(_OfRow):
    """A rhythm that has a name, or an episode as an alarm would tell it.

    ``lead``: the one that it rests on; ``rate_bpm``: of its beats, or the heart rate that it is about. Null where there
    is none.
    """

    start_s: float
    end_s: float
    kind: str
    priority: AlarmPriority
    lead: str | None
    rate_bpm: float | None


class Aggregate(_Answer):
    """The whole recording in one word, decided by windows and findings together.

    Attributes
    ----------
    decision : never "normal" beside a finding of high or medium priority; "unusable" where too little could be judged
    confidence : the probability of what was decided, 0.5 to 1; null where nothing could be
    abnormal_fraction : which share of the usable windows is abnormal
    reason : what decided, in words
    """

    decision: Decision
    confidence: float | None
    abnormal_fraction: float | None
    reason: str


class Burden(_Answer):
    """Share of time in atrial fibrillation: of the whole recording, and of each hour of it."""

    share: float
    by_hour: list[float]


class ScoredRow(Aggregate):
    """One window of an ``.npy`` file of windows, judged on its own; times on the axis that holds all of them."""

    row: int
    start_s: float
    end_s: float


class JudgedLead(_Answer):
    """The lead that is judged unless it is noise, and why it is that one."""

    lead: str
    why: str


class ScoreResult(_Answer):
    """Findings of a recording.

    Attributes
    ----------
    file : its name
    fs_hz, leads, seconds : what it is
    judged : which of its leads is judged
    remarks : what of the file was left out or read otherwise than it says, and why
    windows, beats, findings, aggregate : what was found
    atrial_fibrillation : its burden, null where none was found
    rows : of an ``.npy`` file of windows, each window in one word
    recording : under which it is kept, see ``/recordings/{id}``
    report : address of the report for people to read
    strip_url : address of its ECG on paper; takes ``at_s``, ``seconds`` and ``format``
    """

    file: str
    fs_hz: float
    leads: list[str]
    seconds: float
    judged: JudgedLead
    remarks: list[str] = []
    windows: list[ScoredWindow]
    beats: list[ScoredBeat]
    findings: list[ScoredFinding]
    aggregate: Aggregate
    atrial_fibrillation: Burden | None = None
    rows: list[ScoredRow] | None = None
    recording: str
    report: str
    strip_url: str


class NotScored(_Answer):
    """A file that could not be scored, and why; the others of the request are."""

    file: str
    error: Problem


class ScoreAnswer(_Answer):
    """One entry for each recording sent, and one for each file that is none."""

    results: list[ScoreResult | NotScored]


class RecordingSummary(_Answer):
    """A recording that is kept. ``expires_ns``: when it will be deleted."""

    id: str
    name: str
    owner: str
    created_ns: int
    expires_ns: int
    seconds: float
    decision: Decision


class Recordings(_Answer):
    """The recordings that the caller may see, the newest first."""

    recordings: list[RecordingSummary]


class Recording(RecordingSummary):
    """A recording with all that was found, and what was told of the person."""

    questionnaire: Questionnaire | None
    result: ScoreResult


class RecordingStrip(_Answer):
    """Samples of the leads that were judged: rows of ADC units, null where no sample was taken.

    Millivolts are (sample - baseline) / gain.
    """

    start_s: float
    fs_hz: float
    leads: list[str]
    gain: list[float]
    baseline: list[int]
    samples: list[list[int | None]]


class FormatAnswer(BaseModel):
    """A file format that recordings are read from; suffixes in lower case, the usual one first.

    Attributes
    ----------
    name : for people
    suffixes : of the file that is read
    parts, companions : of files that have to come with it, and of those that may
    in_records : whether such a file may hold the samples of a WFDB record, in the place of its parts
    says_all : whether the file itself says sampling rate, leads and unit
    """

    name: str
    suffixes: tuple[str, ...]
    parts: tuple[str, ...]
    companions: tuple[str, ...]
    in_records: bool
    says_all: bool


class FormatsAnswer(BaseModel):
    """File formats: of recordings, of archives of them, of pictures of paper ECGs, and of single beats."""

    formats: list[FormatAnswer]
    archives: list[str]
    pictures: list[str]
    beats: list[str]


class BeatAnswer(_Answer):
    """A single beat judged.

    Attributes
    ----------
    class_ : which of the five classes, by the CNN
    probabilities : of each class
    error : of the autoencoder, in units of a normal training beat's
    abnormal : by both networks
    abnormal_probability : by both networks
    annotated : the class that the file gave, where it gave one
    samples : the beat as it was sent
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    class_: str = Field(alias="class")
    probabilities: dict[str, float]
    error: float
    abnormal: bool
    abnormal_probability: float
    annotated: str | None = None
    samples: list[float]


class BeatsAnswer(_Answer):
    """Single beats judged. ``note`` says what the figures are worth."""

    beats: list[BeatAnswer]
    models: dict[str, str]
    note: str


class Sample(_Answer):
    """A recording that is there to be tried."""

    name: str
    label: str
    kind: Literal["record", "beats"]


class Samples(_Answer):
    """Samples to try. ``missing`` names those that are not there, and how to get them."""

    samples: list[Sample]
    missing: str | None
