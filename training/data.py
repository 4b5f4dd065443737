"""Recordings to training windows, by the preprocessing that the detector uses; cached by what made them."""

import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

import ecg.annotations
import ecg.beats
import ecg.channels
import ecg.fibrillation
import ecg.filters
import ecg.holes
import ecg.labels
import ecg.leads
import ecg.noise
import ecg.quality
import ecg.quantise
import ecg.records
import ecg.resampling
import ecg.second_filter
import ecg.segments
import ecg.signal_names
import ecg.units
import ecg.wfdb_files
import ecg.wfdb_header
import ecg.wfdb_pieces
import ecg.wfdb_places
import ecg.wfdb_segments
import ecg.wfdb_signals
import ecg.windows
import training.databases.svdb
from ecg.annotations import Annotations
from ecg.filters import band_pass, resample
from ecg.labels import beat_labels, flutter_intervals, label_windows
from ecg.leads import choose_leads
from ecg.records import MISSING, Float32Array, Int16Array, Record, exact_rate, to_millivolts
from ecg.segments import CONTEXT_S, MODEL_FS_HZ, PREPROCESSING_VERSION, Preprocessing, prepare_segments, segment_samples
from ecg.wfdb_files import read_noise
from ecg.windows import HOP_S
from training.records import TrainingRecords

FRAMES_HZ = 25  # of the beat map: the stem's stride of 4 at 100 Hz
FRAMES = CONTEXT_S * FRAMES_HZ
CLASSES = ("none", "N", "S", "V", "F")
UNKNOWN = 255  # a frame that teaches nothing: class Q, or ventricular flutter, which has no beats
BEAT_HALF_WIDTH_S = 0.06  # a beat marks the three frames around it: annotations stray by a frame
PHASE_S = 1.25  # training windows start four times as often as the detector's, so that no phase is special
# Whatever changes in these files, or in a new version of these packages, may change a window.
_MADE_BY: tuple[ModuleType, ...] = (
    ecg.annotations,
    ecg.beats,
    ecg.channels,
    ecg.fibrillation,
    ecg.filters,
    ecg.holes,
    ecg.labels,
    ecg.leads,
    ecg.noise,
    ecg.quality,
    ecg.quantise,
    ecg.records,
    ecg.resampling,
    ecg.second_filter,
    ecg.segments,
    ecg.signal_names,
    ecg.units,
    ecg.wfdb_files,
    ecg.wfdb_header,
    ecg.wfdb_pieces,
    ecg.wfdb_places,
    ecg.wfdb_segments,
    ecg.wfdb_signals,
    ecg.windows,
    training.databases.svdb,
)
_PACKAGES = ("numpy", "scipy", "wfdb")
_KEY_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWindows:
    """The windows of one record.

    Attributes
    ----------
    name : the record
    inputs : (n, leads, samples) float16, as ``ecg.segments.prepare`` gives them
    frames : (n, FRAMES) uint8, index into ``CLASSES`` over the whole segment, or ``UNKNOWN``
    abnormal, left_out : (n,) bool, of the newest 5 s
    usable : (n,) bool, whether the detector would judge the window
    on_grid : (n,) bool, whether it is one of the detector's own windows
    end_s : (n,) float64, end of the window in seconds from the record's start
    """

    name: str
    inputs: npt.NDArray[np.float16]
    frames: npt.NDArray[np.uint8]
    abnormal: npt.NDArray[np.bool_]
    left_out: npt.NDArray[np.bool_]
    usable: npt.NDArray[np.bool_]
    on_grid: npt.NDArray[np.bool_]
    end_s: npt.NDArray[np.float64]

    def only(self, chosen: npt.NDArray[np.bool_]) -> "RecordWindows":
        """Some of the windows."""
        return RecordWindows(name=self.name, **{key: getattr(self, key)[chosen] for key in _ARRAYS})


_ARRAYS = tuple(field.name for field in fields(RecordWindows) if field.name != "name")


def data_hash(windows: Iterable[RecordWindows]) -> str:
    """Return what networks would learn from these windows depends on it alone: SHA-256 of all arrays, hex."""
    digest = hashlib.sha256()
    for record in windows:
        digest.update(record.name.encode() + b"\0")
        for key in _ARRAYS:
            digest.update(np.ascontiguousarray(getattr(record, key)).data)
    return digest.hexdigest()


def frame_classes(annotations: Annotations, fs_hz: float, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """The class of each frame of each segment.

    Parameters
    ----------
    annotations : the record's annotations
    fs_hz : sampling rate in Hz
    ends : (n,) int64, the sample after each segment's last

    Returns
    -------
    (n, FRAMES) uint8: the class of the nearest beat where one lies within ``BEAT_HALF_WIDTH_S`` of the frame's
    middle, else 0
    """
    beats = beat_labels(annotations)
    codes = np.array([CLASSES.index(letter) if letter in CLASSES else UNKNOWN for letter in beats.aami], np.uint8)
    beat_s = beats.sample / fs_hz
    middle_s = ends[:, None] / fs_hz - CONTEXT_S + (np.arange(FRAMES) + 0.5) / FRAMES_HZ
    classes = np.zeros(middle_s.shape, np.uint8)
    if len(beat_s) > 0:
        after = np.clip(np.searchsorted(beat_s, middle_s), 1, len(beat_s) - 1) if len(beat_s) > 1 else 0
        before = np.maximum(np.asarray(after) - 1, 0)
        nearest = np.where(np.abs(beat_s[after] - middle_s) < np.abs(beat_s[before] - middle_s), after, before)
        near = np.abs(beat_s[nearest] - middle_s) <= BEAT_HALF_WIDTH_S
        classes[near] = codes[nearest][near]
    for interval in flutter_intervals(annotations):
        end_s = np.inf if interval.end is None else interval.end / fs_hz
        classes[(middle_s >= interval.start / fs_hz) & (middle_s < end_s)] = UNKNOWN
    return classes


def segments_of(record: Record, ends: npt.NDArray[np.int64]) -> Int16Array:
    """The raw segments that end at given samples, ``MISSING`` before the record's start.

    Parameters
    ----------
    record : the recording
    ends : (n,) int64, the sample after each segment's last

    Returns
    -------
    (n, segment samples, 1 or 2) int16, the judged lead first
    """
    length = segment_samples(record.fs_hz)
    columns = list(choose_leads(record.leads))
    padded = np.concatenate([np.full((length, len(columns)), MISSING, np.int16), record.samples[:, columns]])
    segments: Int16Array = padded[ends[:, None] + np.arange(length)]
    return segments


def windows_of(record: Record, annotations: Annotations, *, phase_s: float = PHASE_S) -> RecordWindows:
    """All windows of a record, one every ``phase_s`` seconds, which must divide the detector's hop."""
    rate = exact_rate(record.fs_hz)
    count = int(record.seconds / phase_s)
    per_hop = round(HOP_S / phase_s)
    steps = np.arange(per_hop, count + 1)
    end_s = steps.astype(np.float64) * phase_s
    ends = np.array([-(-int(step) * HOP_S * rate.numerator // (rate.denominator * per_hop)) for step in steps])
    labels = label_windows(annotations, record.fs_hz, ends - round(HOP_S * record.fs_hz))
    columns = list(choose_leads(record.leads))
    inputs, usable = [], []
    for batch in np.array_split(ends, max(1, len(ends) // 256)):
        prepared = prepare_segments(
            segments_of(record, batch),
            fs_hz=record.fs_hz,
            gain=[record.gain[column] for column in columns],
            baseline=[record.baseline[column] for column in columns],
            settings=Preprocessing(),
        )
        inputs.append(prepared.inputs.astype(np.float16))
        usable.append(prepared.usable)
    return RecordWindows(
        name=record.name,
        inputs=np.concatenate(inputs),
        frames=frame_classes(annotations, record.fs_hz, ends),
        abnormal=labels.abnormal,
        left_out=labels.left_out,
        usable=np.concatenate(usable),
        on_grid=steps % per_hop == 0,
        end_s=end_s,
    )


def cache_key(records: TrainingRecords, name: str) -> str:
    """Return what a record's windows depend on, as 16 hex digits: code, packages, preprocessing, the record's bytes."""
    sources = {module.__name__: _source_hash(module.__file__) for module in _MADE_BY} | {
        __name__: _source_hash(__file__)
    }
    made_by = {
        "sources": sources,
        "packages": {name: version(name) for name in _PACKAGES},
        "preprocessing": PREPROCESSING_VERSION,
        "phase_s": PHASE_S,
        "record": records.content_hash(name),
    }
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:_KEY_DIGITS]


def _source_hash(file: str | None) -> str:
    return hashlib.sha256(Path(file or "").read_bytes()).hexdigest()


def load_windows(
    records: TrainingRecords, cache: Path, *, track: Callable[[Iterable[str]], Iterable[str]] = lambda names: names
) -> tuple[RecordWindows, ...]:
    """The windows of training records, from the cache where they are in it.

    Parameters
    ----------
    records : which records; DS2 cannot be among them
    cache : folder for prepared windows; what no longer fits the code or the data is made anew and replaced
    track : wraps the names, for a progress bar
    """
    cache.mkdir(parents=True, exist_ok=True)
    return tuple(_load_one(records, name, cache) for name in track(records.names))


def _load_one(records: TrainingRecords, name: str, cache: Path) -> RecordWindows:
    stem = name.replace("/", "-")
    file = cache / f"{stem}-{cache_key(records, name)}.npz"
    if (kept := _read(file, name)) is not None:
        return kept
    windows = replace(windows_of(records.read(name), records.annotations(name)), name=name)
    # Only this record's: "208-*" would also be "208-excerpt-...". A file of this key may be another process's, new.
    for old in cache.glob(f"{glob.escape(stem)}-{'[0-9a-f]' * _KEY_DIGITS}.*"):
        if old.stem != file.stem:
            old.unlink(missing_ok=True)
    partial = file.with_suffix(f".{os.getpid()}")  # several processes may prepare the same record
    with partial.open("wb") as stream:
        np.savez(stream, **{key: getattr(windows, key) for key in _ARRAYS})
    partial.replace(file)
    return windows


def _read(file: Path, name: str) -> RecordWindows | None:
    """Prepared windows; None where there are none, or the file is cut or damaged (its checksums tell)."""
    try:
        # Opened here: numpy leaves a file that it cannot read open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return RecordWindows(name=name, **{key: stored[key] for key in _ARRAYS})
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None


def noise_of(directory: Path) -> Float32Array:
    """The noise records of the Noise Stress Test Database, prepared like an ECG, each lead at unit variance.

    Parameters
    ----------
    directory : the folder ``nstdb``

    Returns
    -------
    (3, 2, n) float32: baseline wander, electrode motion, muscle; their leads; time at the models' rate
    """
    kinds = []
    for name in ("bw", "em", "ma"):
        record = read_noise(directory / name)
        millivolts = np.nan_to_num(to_millivolts(record.samples, record.gain, record.baseline)).T
        noise = band_pass(resample(np.ascontiguousarray(millivolts), record.fs_hz, to_hz=MODEL_FS_HZ), MODEL_FS_HZ)
        kinds.append(noise / noise.std(axis=1, keepdims=True))
    shortest = min(kind.shape[1] for kind in kinds)
    return np.stack([kind[:, :shortest] for kind in kinds]).astype(np.float32)
