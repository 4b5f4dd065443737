"""Weights that class beats against what is usual for their patient, fitted on patients the networks have not seen.

Twenty-two patients are few: whatever could learn them by heart (trees, more features) did worse out of fold than a few
weights do. The shape of the rule is given; only how far each part of it counts is learned.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from detector.judgement import JudgedBeat, Judgement
from detector.manifest import Calibration, PersonalReading
from detector.score import Score
from ecg.annotations import Annotations
from ecg.labels import beat_labels
from training.beat_comparison import Pair, compare, match
from training.beat_tuning import last_beat_s
from training.following import follow
from training.metrics import best_f1_threshold
from training.outoffold import OutOfFold

# Chosen once on DS1, out of fold: half or twice of it gives nearly the same.
PER_PREMATURITY, PER_ODDS = 10.0, 0.5
REGULAR_FROM = 0.45
_FIRST = PersonalReading(
    ventricular_per_odds=1.0,
    ventricular_per_unlikeness=0.0,
    ventricular_per_difference=0.0,
    ventricular_bias=0.0,
    supraventricular_per_prematurity=PER_PREMATURITY,
    supraventricular_per_odds=PER_ODDS,
    supraventricular_bias=-1.4,
    regular_from=REGULAR_FROM,
)


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
        beats = [beat for judgement in judgements for beat in judgement.beats]
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


def tune_personal(
    judged: Sequence[OutOfFold], scores: Mapping[str, list[Score]], reference: Reference, calibration: Calibration
) -> PersonalReading:
    """Fit how far each sign of an ectopic beat counts.

    Parameters
    ----------
    judged, scores : records by networks that have not seen them, and what the scorer says of their windows
    reference : the annotations
    calibration : of the CNN; the rest of it changes no beat
    """

    def beats_of(reading: PersonalReading) -> tuple[list[JudgedBeat], npt.NDArray[np.str_], npt.NDArray[np.str_]]:
        beats: list[JudgedBeat] = []
        classes, names = [], []
        for record in judged:
            name = record.windows.name
            of_record = [beat for j in follow(record, scores[name], reading, calibration) for beat in j.beats]
            beats.extend(of_record)
            classes.append(reference.classes(name, times_s(of_record)))
            names.extend([name] * len(of_record))
        return beats, np.concatenate(classes), np.array(names)

    beats, classes, names = beats_of(_FIRST)
    ventricular = _ventricular(beats, classes, names)
    beats, classes, names = beats_of(_FIRST.model_copy(update=ventricular))
    return _FIRST.model_copy(update=ventricular | _supraventricular(beats, classes, names))


def _ventricular(
    beats: Sequence[JudgedBeat], classes: npt.NDArray[np.str_], names: npt.NDArray[np.str_]
) -> dict[str, float]:
    """Weights of the CNN's odds and of the strangeness of the QRS; none where no beat could teach them."""
    features = np.array(
        [(b.features.ventricular_odds, b.features.unlikeness, b.features.difference) for b in beats], np.float64
    )
    known = np.isin(classes, ["N", "S", "V"])
    is_v = classes == "V"
    if len(np.unique(is_v[known])) < 2:
        return {}
    fitted = LogisticRegression(C=1e4, max_iter=1000).fit(
        features[known], is_v[known], sample_weight=balanced(is_v[known], names[known])
    )
    odds = features @ fitted.coef_[0]
    # EC57 holds F and Q called V neither right nor wrong; a beat that is none is wrong.
    counted = ~np.isin(classes, ["F", "Q"])
    threshold = best_f1_threshold(is_v[counted], odds[counted]) or 0.0
    per_odds, per_unlikeness, per_difference = (round(float(weight), 4) for weight in fitted.coef_[0])
    return {
        "ventricular_per_odds": per_odds,
        "ventricular_per_unlikeness": per_unlikeness,
        "ventricular_per_difference": per_difference,
        "ventricular_bias": round(-threshold, 4),
    }


def _supraventricular(
    beats: Sequence[JudgedBeat], classes: npt.NDArray[np.str_], names: npt.NDArray[np.str_]
) -> dict[str, float]:
    """Weights of prematurity and the CNN's odds, their relation given; none where no beat could teach them."""
    candidates = np.array(
        [beat.beat_class in {"N", "S"} and beat.features.regularity >= REGULAR_FROM for beat in beats]
    )
    early = np.array(
        [
            PER_PREMATURITY * beat.features.prematurity + PER_ODDS * beat.features.supraventricular_odds
            for beat in beats
        ],
        np.float64,
    )
    is_s = classes == "S"
    known = candidates & np.isin(classes, ["N", "S"])
    counted = candidates & (classes != "Q")
    if len(np.unique(is_s[known])) < 2:
        return {}
    fitted = LogisticRegression(C=1e4, max_iter=1000).fit(
        early[known, None], is_s[known], sample_weight=balanced(is_s[known], names[known])
    )
    slope = float(fitted.coef_[0, 0])
    threshold = best_f1_threshold(is_s[counted], early[counted]) or 0.0
    return {
        "supraventricular_per_prematurity": round(slope * PER_PREMATURITY, 4),
        "supraventricular_per_odds": round(slope * PER_ODDS, 4),
        "supraventricular_bias": round(-slope * threshold, 4),
    }


def balanced(is_class: npt.NDArray[np.bool_], names: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Weights by which a patient counts as the square root of its beats: no one patient may decide."""
    weight = np.ones(len(names))
    for name in np.unique(names):
        for value in (False, True):
            these = (names == name) & (is_class == value)
            if these.any():
                weight[these] = these.sum() ** -0.5
    balanced: npt.NDArray[np.float64] = weight / weight.mean()
    return balanced
