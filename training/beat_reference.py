"""References that beats are held against: the annotated class of each beat found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bus.final_beats import final_beats
from detector.judgement import JudgedBeat, Judgement
from ecg.annotations import Annotations
from ecg.labels import beat_labels
from training.beat_comparison import Pair, compare, match
from training.beat_tuning import last_beat_s
from training.outoffold import OutOfFold


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """References of the records: annotations and sampling rates in Hz, by record name."""

    annotations: Mapping[str, Annotations]
    rates_hz: Mapping[str, float]

    def classes(self, name: str, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
        """The annotated class of each beat found, "" where none is annotated."""
        beats = beat_labels(self.annotations[name])
        found = np.full(len(times_s), "", dtype="<U1")
        for reference, index in match(beats.sample / self.rates_hz[name], times_s):
            found[index] = beats.aami[reference]
        return found

    def counted(self, name: str) -> Counter[str]:
        """Return how many beats of each class a record has."""
        return Counter(beat_labels(self.annotations[name]).aami.tolist())

    def count(self, record: OutOfFold, judgements: Sequence[Judgement]) -> Counter[Pair]:
        """The (reference, found) classes of a record's beats."""
        beats = final_beats(judgements)
        name = record.windows.name
        return compare(
            self.annotations[name],
            self.rates_hz[name],
            times_s(beats),
            [beat.beat_class or "Q" for beat in beats],
            span_s=(0.0, last_beat_s(record)),
        )


def times_s(beats: Sequence[JudgedBeat]) -> npt.NDArray[np.float64]:
    """Seconds since the record's start."""
    return np.array([beat.t_ns for beat in beats], np.float64) / 1e9
