"""MIT-BIH Supraventricular Arrhythmia Database: 65 of its 78 patients may be learned from, 13 stay unseen."""

import re
from pathlib import Path

import numpy as np

from ecg.annotations import Annotations, read_annotations
from ecg.beats import find_beats
from ecg.filters import band_pass
from ecg.labels import beat_labels
from ecg.leads import choose_leads
from ecg.records import to_millivolts
from ecg.wfdb_files import read_wfdb
from training.databases.database import Database

_ALL = (*range(800, 813), *range(820, 830), *range(840, 895))
_UNSEEN = (803, 808, 811, 820, 821, 840, 847, 853, 871, 872, 873, 883, 891)
_NEAR_S = 0.15  # an annotation and the QRS that it means


def annotations_at_peaks(path: Path) -> Annotations:
    """The annotations of a record, moved together to where the QRS peaks are.

    Between records they lie 47 ms before to 63 ms behind them.
    """
    annotations, record = read_annotations(path), read_wfdb(path)
    column = choose_leads(record.leads)[0]
    lead = np.nan_to_num(to_millivolts(record.samples, record.gain, record.baseline)[:, column])
    found = find_beats(band_pass(lead, record.fs_hz), record.fs_hz)
    annotated = beat_labels(annotations).sample
    if not len(found) or not len(annotated):
        return annotations
    after = np.clip(np.searchsorted(found, annotated), 1, len(found) - 1)
    nearer = np.where(annotated - found[after - 1] < found[after] - annotated, after - 1, after)
    late = found[nearer] - annotated
    near = np.abs(late) <= _NEAR_S * record.fs_hz
    shift = round(float(np.median(late[near]))) if near.any() else 0
    return Annotations(
        sample=np.clip(annotations.sample + shift, 0, len(record.samples) - 1),
        symbol=annotations.symbol,
        aux=annotations.aux,
    )


DATABASE = Database(
    name="svdb",
    citation="Greenwald SD. Improved detection and classification of arrhythmias in noise-corrupted electrocardiograms "
    "using contextual information. PhD thesis, Harvard-MIT, 1990",
    records=re.compile(r"8\d\d"),
    tunes="rules for beats",
    unseen="13 of 78 patients",
    rhythms="unknown",
    learned=tuple(str(number) for number in _ALL if number not in _UNSEEN),
    annotations=annotations_at_peaks,
)
