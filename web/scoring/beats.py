"""Single beats of 140 samples, as ECG5000 has them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.single_beats import BEAT_SAMPLES
from ecg.contents import check_content
from ecg.csv_numbers import all_numbers
from ecg.errors import EcgStreamError
from ecg.file_names import plain_name
from ecg.formats import FORMATS
from ecg.intake import Sent
from ecg.npy_files import read_array
from web.scoring.answers import BeatAnswer, BeatsAnswer
from web.scoring.jobs import Desk

MAX_BEATS = 5000  # all of ECG5000
NOTE = "These networks learned from one patient's beats: what they say about another person's means nothing."
_DIGITS = 5
_CLASSES = 5

# Those that hold numbers and nothing else.
BEAT_FILES = (
    *(suffix for form in FORMATS if not form.says_all and not form.in_records for suffix in form.suffixes),
    ".json",
)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreBeats:
    """Judge the beats of files.

    Attributes
    ----------
    files : ``.npy``, ``.csv``, ``.tsv``, ``.txt`` or ``.json``, one beat a row; a first column more is the class
        from 1 to 5, as ECG5000 is published
    count : how many, spread over all; None means every one
    """

    files: tuple[Sent, ...]
    count: int | None = None

    def do(self, desk: Desk) -> BeatsAnswer:
        """Judge them."""
        rows = np.concatenate([_rows(file) for file in self.files])
        if self.count is not None and len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, min(self.count, len(rows))).round().astype(int)]
        if not 1 <= len(rows) <= MAX_BEATS:
            raise EcgStreamError(f"{len(rows)} beats are outside 1 to {MAX_BEATS}: send them in parts")
        return judged(rows, desk)


def judged(rows: Floats, desk: Desk) -> BeatsAnswer:
    """Judge beats.

    Parameters
    ----------
    rows : (n, 1 + 140), the class from 1 to 5, or NaN where nobody gave one, and the samples
    """
    names = desk.beats.manifest.classes
    beats = np.ascontiguousarray(rows[:, 1:], np.float32)
    scores = desk.beats.score(beats)
    return BeatsAnswer(
        beats=[
            BeatAnswer(
                class_=names[scores.classes[row]],
                probabilities=dict(
                    zip(names, np.round(scores.class_probabilities[row], _DIGITS).tolist(), strict=True)
                ),
                error=round(float(scores.error[row]), _DIGITS),
                abnormal=bool(scores.abnormal[row]),
                abnormal_probability=round(float(scores.abnormal_score[row]), _DIGITS),
                annotated=None if np.isnan(rows[row, 0]) else names[int(rows[row, 0]) - 1],
                samples=np.round(beats[row].astype(np.float64), _DIGITS).tolist(),
            )
            for row in range(len(beats))
        ],
        models=desk.beats.versions,
        note=NOTE,
    )


def _rows(file: Sent) -> Floats:
    name = plain_name(file.name)
    suffix = Path(name).suffix.lower()
    if suffix == ".json":
        values = _from_json(file.path, name)
    elif suffix in BEAT_FILES:
        check_content(file.path, name)
        array = suffix == ".npy"
        values = np.atleast_2d(read_array(file.path).astype(np.float64)) if array else _from_text(file.path, name)
    else:
        raise EcgStreamError(f"{name}: beats are read from {', '.join(BEAT_FILES)}: send one of these")
    return _with_class(values, name)


def _from_json(path: Path, name: str) -> Floats:
    """``[[140 numbers], ...]``, one such row, or ``{"beats": ...}`` of it."""
    try:
        stored = json.loads(path.read_bytes())
        beats = stored["beats"] if isinstance(stored, dict) else stored
        return np.atleast_2d(np.asarray(beats, np.float64))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise EcgStreamError(
            f'{name} is no JSON of beats ({type(error).__name__}): send {{"beats": [[...], ...]}} with {BEAT_SAMPLES} '
            "numbers a row"
        ) from error


def _from_text(path: Path, name: str) -> Floats:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise EcgStreamError(f"{name} is not UTF-8 text: save it as CSV in UTF-8") from error
    if not lines:
        raise EcgStreamError(f"{name} is empty: it needs a row of {BEAT_SAMPLES} numbers")
    separator = next((mark for mark in (";", "\t", ",") if mark in lines[0]), None)
    width = len(lines[0].split(separator))
    values = all_numbers(lines, separator, width)
    if values is None:
        raise EcgStreamError(
            f"{name} holds something else than rows of {width} numbers: leave out names, notes and empty cells"
        )
    return values


def _with_class(values: Floats, name: str) -> Floats:
    if values.ndim != 2 or values.shape[1] not in {BEAT_SAMPLES, BEAT_SAMPLES + 1}:
        raise EcgStreamError(
            f"{name} has the shape {values.shape}: give one beat a row, of {BEAT_SAMPLES} samples, with or without its "
            "class before them"
        )
    if values.shape[1] == BEAT_SAMPLES:
        return np.insert(values, 0, np.nan, axis=1)
    if not np.isin(values[:, 0], np.arange(1, _CLASSES + 1)).all():
        raise EcgStreamError(
            f"{name} has {BEAT_SAMPLES + 1} columns, and the first is not a class from 1 to {_CLASSES}: leave it out"
        )
    return values
