"""Jobs of the scoring processes: everything that opens a stranger's file, judges one, or draws."""

import contextlib
import re
import secrets
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Protocol, TypeVar

from alerting.rules import AlarmRules
from detector.explain import Explainer
from detector.scorer import Scorer, scorer_of
from detector.settings import DetectorSettings
from detector.single_beats import SingleBeatScorer
from ecg.annotations import read_annotations
from ecg.errors import EcgStreamError
from ecg.intake import Readable, Refused, Sent, take_in
from ecg.labels import BeatLabels, beat_labels
from ecg.npy_files import WindowSet
from ecg.records import Recording
from ecg.wfdb_files import load_record
from models import SHIPPED
from ops.problems import Problem
from reports.opening import open_any
from reports.scoring import errors_naming, scored
from web.scoring.answers import NotScored, ScoreResult
from web.scoring.kept import About, keep
from web.scoring.questionnaire import Questionnaire

API = "/api/v1"
TOO_MUCH = "needs more memory than scoring may take here: send less at a time (ECGSTREAM_WEB_MEMORY_MB)"
_NO_MEMORY = re.compile(r"bad_alloc|failed to allocate|cannot allocate memory", re.IGNORECASE)  # of libraries in C++
Answer_co = TypeVar("Answer_co", covariant=True)


class Desk:
    """Tools of the jobs: models that are loaded once.

    Parameters
    ----------
    detector : models and preprocessing, the stream's

    Attributes
    ----------
    spent : whether memory ran out once: what was loaded meanwhile may be there by half
    """

    def __init__(self, detector: DetectorSettings, rules: AlarmRules) -> None:
        self._detector = detector
        self.rules = rules
        self.spent = False
        self.scorer: Scorer = scorer_of(detector)

    @cached_property
    def explainer(self) -> Explainer:
        """Says what a verdict rests on."""
        from reports.recording import explainer_of  # noqa: PLC0415 # it brings what draws, which scoring does not need

        return explainer_of(self._detector)

    @cached_property
    def beats(self) -> SingleBeatScorer:
        """Judges single beats."""
        return SingleBeatScorer(SHIPPED / "ecg5000", threads=self._detector.threads)


class Job(Protocol[Answer_co]):
    """Something to do in a scoring process."""

    def do(self, desk: Desk) -> Answer_co:
        """Do it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Rules by which recordings are kept.

    Attributes
    ----------
    recordings : the folder of all
    """

    recordings: Path
    owner: str
    now_ns: int
    questionnaire: Questionnaire | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Facts that a sender gives of files that lack them: see ``reports.opening.open_any``."""

    fs_hz: float | None = None
    leads: tuple[str, ...] | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Outcome of the files of a request.

    Attributes
    ----------
    kept : ids of the recordings, in the order of the files
    """

    kept: tuple[str, ...]
    refused: tuple[NotScored, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFiles:
    """Score the files of one request, and keep the recordings.

    Attributes
    ----------
    work : a folder for what comes of them; it is made
    reading : what the sender says of them
    """

    files: tuple[Sent, ...]
    work: Path
    reading: Reading
    keeping: Keeping

    def do(self, desk: Desk) -> Outcome:
        """Score each; one that cannot be read does not hinder the others."""
        self.work.mkdir()
        readable, refused = take_in(self.files, self.work)
        results = [self._one(file, desk) for file in readable]
        return Outcome(
            kept=tuple(result for result in results if isinstance(result, str)),
            refused=tuple(
                not_scored(each) for each in (*refused, *(each for each in results if isinstance(each, Refused)))
            ),
        )

    def _one(self, file: Readable, desk: Desk) -> str | Refused:
        reading = self.reading
        try:
            with errors_naming(file.name):
                recording = open_any(file.path, fs_hz=reading.fs_hz, leads=reading.leads, unit=reading.unit)
                reference = _annotated(file.path) if file.path.suffix.lower() == ".hea" else None
                return keep_scored(desk, recording, self.keeping, work=self.work, name=file.name, reference=reference)
        except EcgStreamError as error:
            if _is_for_memory(error):
                desk.spent = True
                return Refused(name=file.name, reason=f"{file.name} {TOO_MUCH}")
            return Refused(name=file.name, reason=self._reason(error))

    def _reason(self, error: EcgStreamError) -> str:
        """A reader's complaint without the folders of this machine."""
        text = str(error)
        folders = {str(path) for path in (self.work, *self.work.rglob("*")) if path.is_dir()}
        for folder in sorted(folders, key=len, reverse=True):
            text = text.replace(f"{folder}/", "").replace(folder, "the upload")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRecord:
    """Score a record of the data directory, and keep what was found.

    Attributes
    ----------
    name : the record's
    folder : where records lie
    start_s, seconds : which part of it, s; None means all from there
    work : a folder for what comes of it; it is made
    """

    name: str
    folder: Path
    work: Path
    keeping: Keeping
    start_s: float = 0.0
    seconds: float | None = None

    def do(self, desk: Desk) -> Outcome:
        """Score it."""
        self.work.mkdir()
        recording = load_record(self.name, self.folder)
        first = round(self.start_s * recording.fs_hz)
        last = len(recording.samples) if self.seconds is None else first + round(self.seconds * recording.fs_hz)
        if first >= len(recording.samples):
            raise EcgStreamError(
                f"start_s={self.start_s:g} lies after the record's end at {recording.seconds:g} s: choose one before"
            )
        reference = _annotated(self.folder / f"{self.name}.hea")
        part = replace(recording, samples=recording.samples[first:last])
        if reference is not None:
            inside = (reference.sample >= first) & (reference.sample < last)
            reference = BeatLabels(sample=reference.sample[inside] - first, aami=reference.aami[inside])
        number = keep_scored(desk, part, self.keeping, work=self.work, name=self.name, reference=reference)
        return Outcome(kept=(number,), refused=())


def keep_scored(
    desk: Desk,
    recording: Recording | WindowSet,
    keeping: Keeping,
    *,
    work: Path,
    name: str,
    reference: BeatLabels | None,
) -> str:
    """Judge a recording and keep it; its id.

    Parameters
    ----------
    keeping : where it goes
    work : where it is put together, on the same disk
    """
    found = scored(recording, desk.scorer, desk.rules, file=name)
    number = secrets.token_hex(16)
    links = {
        "recording": number,
        "report": f"{API}/recordings/{number}/report",
        "strip_url": f"{API}/recordings/{number}/strip",
    }
    result = ScoreResult.model_validate(found.result | links)
    about = About(
        id=number,
        owner=keeping.owner,
        name=name,
        created_ns=keeping.now_ns,
        seconds=result.seconds,
        decision=result.aggregate.decision,
    )
    draft = work / number
    keep(draft, found, about=about, result=result, reference=reference, questionnaire=keeping.questionnaire)
    draft.rename(keeping.recordings / number)
    return number


def not_scored(refused: Refused) -> NotScored:
    """Return the entry of a file that was not scored."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return NotScored(file=refused.name, error=Problem(title=status.phrase, status=status.value, detail=refused.reason))


def _is_for_memory(error: BaseException) -> bool:
    """Return whether memory ran out, whatever the reader or the runtime made of it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or _NO_MEMORY.search(str(cause)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _annotated(header: Path) -> BeatLabels | None:
    """A record's annotated beats; annotations that cannot be read are none."""
    stem = header.with_suffix("")
    if not stem.with_name(f"{stem.name}.atr").is_file():
        return None
    with contextlib.suppress(EcgStreamError):
        return beat_labels(read_annotations(stem))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """Nothing but having started."""

    def do(self, desk: Desk) -> None:
        """The models are loaded when it is done."""
        del desk
