"""Examples out of recordings, as drawings: beats of each kind laid over each other, strips of each class and rhythm."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bus.messages import BeatClass
from ecg.annotations import read_annotations
from ecg.labels import AAMI, beat_labels, rhythm_intervals
from ecg.leads import choose_leads
from ecg.records import Float32Array, Record, to_millivolts
from ecg.wfdb_files import read_wfdb
from reports.strip import Strip, StripBeat

BEAT_BEFORE_S, BEAT_AFTER_S = 0.3, 0.5  # of a beat's annotation: P wave to T wave at ordinary rates
STRIP_S = 6.0
RECORDS_OF_A_KIND = 3  # examples come from so many records where there are so many
MAX_DRAWN_HZ = 360.0  # more samples than that cannot be seen, and would only swell the file
_MEAN, _SPREAD, _SINGLE = "#1b3a5b", "#9fb8d0", "#8d979f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Place of an example: a record, and the sample of the beat or of the rhythm's start."""

    record: str
    sample: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatBundle:
    """Beats of one annotation symbol in one record, laid over each other.

    Attributes
    ----------
    record, leads, fs_hz : where they come from
    beats_mv : (beats, n, leads) float32, mV, each lead of each beat less its median
    total : how many the record has of them
    """

    record: str
    leads: tuple[str, ...]
    fs_hz: float
    beats_mv: Float32Array
    total: int


class Examples:
    """The examples of a folder of recordings: each recording is read once, when it is asked for.

    Parameters
    ----------
    directory : the folder that holds the records
    names : the records that examples may come from; no test record
    """

    def __init__(self, directory: Path, names: Iterable[str]) -> None:
        self._directory = directory
        self._annotations = {name: read_annotations(directory / name) for name in names}

    def symbols(self) -> dict[str, list[str]]:
        """Each beat symbol with the records that have it, the richest first."""
        return self._ranked({name: self._counts(of.symbol) for name, of in self._annotations.items()}, keys=AAMI)

    def classes(self) -> dict[str, list[Place]]:
        """Each AAMI class with a few places, from different records, the richest first."""
        beats = {name: beat_labels(of) for name, of in self._annotations.items()}
        counts = {name: self._counts(of.aami.tolist()) for name, of in beats.items()}
        return {
            letter: [
                # The middle one: a record's first and last beats are cut by its ends.
                Place(record=name, sample=int(_middle(beats[name].sample[beats[name].aami == letter])))
                for name in names[:RECORDS_OF_A_KIND]
            ]
            for letter, names in self._ranked(counts, keys="NSVFQ").items()
        }

    def rhythms(self) -> dict[str, Place]:
        """Each annotated rhythm with the middle of its longest stretch."""
        longest: dict[str, tuple[float, Place]] = {}
        for name, annotations in self._annotations.items():
            last = int(annotations.sample[-1]) if len(annotations.sample) else 0
            for interval in rhythm_intervals(annotations):
                end = last if interval.end is None else interval.end
                length = end - interval.start
                if length > longest.get(interval.name, (0.0, None))[0]:
                    longest[interval.name] = length, Place(record=name, sample=(interval.start + end) // 2)
        return {rhythm: place for rhythm, (_, place) in sorted(longest.items())}

    def bundle(self, symbol: str, name: str, *, most: int = 100) -> BeatBundle:
        """Beats of a symbol in a record, spread over it."""
        record, annotations = self._record(name), self._annotations[name]
        samples = annotations.sample[np.array([found == symbol for found in annotations.symbol], np.bool_)]
        before, after = round(BEAT_BEFORE_S * record.fs_hz), round(BEAT_AFTER_S * record.fs_hz)
        inside = samples[(samples >= before) & (samples + after <= len(record.samples))]
        chosen = inside[np.unique(np.linspace(0, max(0, len(inside) - 1), most).astype(int))] if len(inside) else inside
        columns = list(choose_leads(record.leads))
        beats = record.samples[(chosen - before)[:, None] + np.arange(before + after)][:, :, columns]
        beats_mv = to_millivolts(beats, *_scale(record, columns))
        known = beats_mv[~np.isnan(beats_mv).any(axis=(1, 2))]
        return BeatBundle(
            record=name,
            leads=tuple(record.leads[column] for column in columns),
            fs_hz=record.fs_hz,
            beats_mv=known - np.median(known, axis=1, keepdims=True) if len(known) else known,
            total=len(samples),
        )

    def strip(self, place: Place, *, seconds: float = STRIP_S) -> Strip:
        """The strip around a place, both leads that the models look at, with the annotated beats."""
        record, annotations = self._record(place.record), self._annotations[place.record]
        length = min(round(seconds * record.fs_hz), len(record.samples))
        start = min(max(0, place.sample - length // 2), len(record.samples) - length)
        columns = list(choose_leads(record.leads))
        step = max(1, int(np.ceil(record.fs_hz / MAX_DRAWN_HZ)))
        beats = beat_labels(annotations)
        inside = (beats.sample >= start) & (beats.sample < start + length)
        return Strip(
            fs_hz=record.fs_hz / step,
            leads=tuple(record.leads[column] for column in columns),
            samples_mv=to_millivolts(
                record.samples[start : start + length : step][:, columns], *_scale(record, columns)
            ),
            start_s=start / record.fs_hz,
            reference=tuple(
                StripBeat(t_s=float(sample / record.fs_hz), beat_class=_letter(str(letter)))
                for sample, letter in zip(beats.sample[inside], beats.aami[inside], strict=True)
            ),
        )

    def _record(self, name: str) -> Record:
        return read_wfdb(self._directory / name)

    @staticmethod
    def _counts(values: Iterable[str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for value in values:
            counts[value] = counts.get(value, 0) + 1
        return counts

    @staticmethod
    def _ranked(counts: Mapping[str, Mapping[str, int]], *, keys: Iterable[str]) -> dict[str, list[str]]:
        ranked = {
            key: sorted((name for name in counts if counts[name].get(key)), key=lambda name: -counts[name][key])
            for key in keys
        }
        return {key: names for key, names in ranked.items() if names}


def draw_bundles(bundles: Sequence[BeatBundle]) -> Figure:
    """Beats of one symbol: a column for each record, a row for each lead; mean, 10th to 90th percentile, some beats."""
    rows = max(len(bundle.leads) for bundle in bundles)
    figure = Figure(figsize=(2.1 * RECORDS_OF_A_KIND, 1.35 * rows), layout="constrained")
    axes = figure.subplots(rows, RECORDS_OF_A_KIND, squeeze=False, sharex=True)
    for place in axes.flat:
        place.set_visible(False)
    for column, bundle in enumerate(bundles):
        step = max(1, int(np.ceil(bundle.fs_hz / MAX_DRAWN_HZ)))
        beats = bundle.beats_mv[:, ::step]
        time_s = np.arange(beats.shape[1]) * step / bundle.fs_hz - BEAT_BEFORE_S
        for row, lead in enumerate(bundle.leads):
            place = axes[row, column]
            place.set_visible(True)
            draw_spread(place, time_s, beats[:, :, row])
            place.set_title(f"{bundle.record} {lead}" + (f", {bundle.total} beats" if row == 0 else ""), fontsize=7)
            place.tick_params(labelsize=6)
    axes[0, 0].set_ylabel("mV", fontsize=6)
    figure.supxlabel("s from the annotation", fontsize=6)
    return figure


def draw_spread(axes: Axes, time_s: npt.NDArray[np.float64], beats: Float32Array) -> None:
    """Mean and spread of beats (n, samples), and three of them, on axes."""
    if len(beats) == 0:
        return
    low, high = np.percentile(beats, (10, 90), axis=0)
    axes.fill_between(time_s, low, high, color=_SPREAD, alpha=0.5, lw=0)
    for beat in beats[:: max(1, len(beats) // 3)][:3]:
        axes.plot(time_s, beat, color=_SINGLE, lw=0.5)
    axes.plot(time_s, beats.mean(axis=0), color=_MEAN, lw=1.0)


def _scale(record: Record, columns: Sequence[int]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    return tuple(record.gain[column] for column in columns), tuple(record.baseline[column] for column in columns)


def _middle(samples: npt.NDArray[np.int64]) -> int:
    return int(samples[len(samples) // 2])


def _letter(letter: str) -> BeatClass:
    letters: dict[str, BeatClass] = {"N": "N", "S": "S", "V": "V", "F": "F", "Q": "Q"}
    return letters[letter]
