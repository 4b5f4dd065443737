"""Boosted trees that class beats by their features, fitted on patients the networks have not seen.

Patients teach them, not beats: each patient counts alike, whatever the length of its recording, and within a patient a
rare class only a little more than its beats do.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from detector.beat_features import NAMES, Floats
from detector.beat_map import AAMI_CLASSES
from detector.manifest import BeatReading
from detector.weighing import WeighedWindow
from ecg.errors import EcgStreamError
from training.beat_reference import Reference
from training.databases import database_of

NORMAL_BEATS = 500  # of a patient that are learned from, drawn from all: more are more of the same
_PATIENT = 1000.0  # weight of all beats of one: against it stands the regularisation
SEEDS = 1  # whose log odds are averaged: two gain nothing that can be told from chance
TREES = 100  # of a seed and a class; twice as many gain nothing, and take 0.1 ms a beat in small batches
LEARNING_RATE = 0.08
LEAVES = 15
_REST = {"l2_regularization": 1.0, "min_samples_leaf": 40}
# ln(probability) + bias: what is tried for S and for V. Wide of these, one of the two kinds of error is absurd.
_BIASES = np.arange(-2.0, 2.01, 0.25)
_MIN_BEATS = 50  # of a class in a database: fewer choose nothing

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatTable:
    """Beats found in one record.

    Attributes
    ----------
    name : the record's
    features : (n, features) float32, in the order of ``detector.beat_features.NAMES``; by these the final class is told
    classes : (n,) the annotated class, "" where no beat is annotated
    provisional, provisional_classes : the same of the beats that are first classed without the one behind them, as
        they are then: they are learned from, too
    annotated : how many beats of each class the record has, found or not
    """

    name: str
    features: npt.NDArray[np.float32]
    classes: npt.NDArray[np.str_]
    provisional: npt.NDArray[np.float32]
    provisional_classes: npt.NDArray[np.str_]
    annotated: Counter[str]


def table_of(name: str, windows: Sequence[WeighedWindow | None], reference: Reference) -> BeatTable:
    """The beats that the verdicts on a record would report, with their features and annotated classes."""
    features: list[Sequence[float]] = []
    times: list[int] = []
    provisional: list[tuple[int, Sequence[float]]] = []  # places of the beats, and what was known of them at first
    for window in windows:
        if window is None:
            continue
        if window.completed is not None and times and times[-1] == window.completed_ns:
            provisional.append((len(times) - 1, features[-1]))
            features[-1] = window.completed
        features += window.features[: window.reported].tolist()
        times += window.times_ns[: window.reported]
    classes = reference.classes(name, np.array(times, np.float64) / 1e9)
    return BeatTable(
        name=name,
        features=_rows(features),
        classes=classes,
        provisional=_rows([row for _, row in provisional]),
        provisional_classes=classes[[place for place, _ in provisional]],
        annotated=reference.counted(name),
    )


def _rows(features: Sequence[Sequence[float]]) -> npt.NDArray[np.float32]:
    return np.array(features, np.float32).reshape(len(features), len(NAMES))


class Trees:
    """Fitted trees of several seeds.

    Parameters
    ----------
    models : one of each seed, fitted on the same beats
    """

    def __init__(self, models: Sequence[HistGradientBoostingClassifier]) -> None:
        self.models = tuple(models)

    def __call__(self, features: Floats) -> Sequence[Sequence[float]]:
        """The probabilities of ``AAMI_CLASSES`` of each beat, as the exported graph gives them."""
        if not len(features):
            return []
        found: list[list[float]] = self.probabilities(features.astype(np.float32)).tolist()
        return found

    def probabilities(self, features: npt.NDArray[np.float32]) -> Probabilities:
        """(n, classes); 0 of a class that no beat was of."""
        with threadpool_limits(1, user_api="openmp"):  # as for the fit
            odds = np.mean([model.decision_function(features) for model in self.models], axis=0)
        if odds.ndim == 1:  # of two classes, those of the second
            odds = np.stack([np.zeros(len(odds)), odds], axis=1)
        powers = np.exp(odds - odds.max(axis=1, keepdims=True))
        found = np.zeros((len(features), len(AAMI_CLASSES)))
        places = [AAMI_CLASSES.index(letter) for letter in self.models[0].classes_.tolist()]
        found[:, places] = powers / powers.sum(axis=1, keepdims=True)
        return found


def fit_trees(tables: Sequence[BeatTable], *, seeds: int = SEEDS) -> Trees:
    """Fit trees on the beats of some records.

    Raises
    ------
    EcgStreamError : when all beats of the records are of one class
    """
    features, classes, weights = [], [], []
    for table in tables:
        chosen, letters, weight = _drawn(np.concatenate([table.classes, table.provisional_classes]))
        features.append(np.concatenate([table.features, table.provisional])[chosen])
        classes.append(letters)
        weights.append(weight)
    letters, held = np.concatenate(classes), set(np.concatenate(classes).tolist())
    every = np.concatenate(features)
    # A feature that is known of no beat, as where no record has another lead, splits nothing; NaN alone is refused.
    every[:, np.isnan(every).all(axis=0)] = 0.0
    if len(held) < 2:
        raise EcgStreamError(
            f"the training records hold beats of class {', '.join(sorted(held)) or 'none'} alone: add records with "
            "supraventricular or ventricular beats"
        )
    # One thread: those of OpenMP wait for each other by spinning, which beside other work takes ten times as long.
    with threadpool_limits(1, user_api="openmp"):
        return Trees(
            [
                HistGradientBoostingClassifier(
                    max_iter=TREES,
                    learning_rate=LEARNING_RATE,
                    max_leaf_nodes=LEAVES,
                    early_stopping=False,
                    random_state=seed,
                    max_features=0.5,
                    **_REST,
                ).fit(every, letters, sample_weight=np.concatenate(weights))
                for seed in range(seeds)
            ]
        )


def _drawn(
    classes: npt.NDArray[np.str_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.str_], npt.NDArray[np.float64]]:
    """The beats of one patient that are learned from: their places, classes and weights.

    The weights of a class are as many as the square root of its beats, and those of all classes alike for all patients.
    """
    # What is no beat is to be called normal: a false alarm it must not be.
    letters = np.where(classes == "", "N", classes)
    normal = np.flatnonzero(letters == "N")
    left_out = np.random.default_rng(0).permutation(normal)[NORMAL_BEATS:]
    kept = letters != "Q"
    kept[left_out] = False
    chosen = np.flatnonzero(kept)
    weights = np.zeros(len(chosen))
    for letter in np.unique(letters[chosen]):
        these = letters[chosen] == letter
        weights[these] = float((letters == letter).sum()) ** 0.5 / float(these.sum())
    return chosen, letters[chosen], np.asarray(weights * (_PATIENT / max(float(weights.sum()), 1e-9)), np.float64)


def cross_fit(tables: Sequence[BeatTable], folds: Sequence[Sequence[str]]) -> dict[str, Trees]:
    """Trees for each record that have not learned from it: fitted on all folds but its own.

    Parameters
    ----------
    tables : of all records
    folds : names of the records in each fold
    """
    fitted: dict[str, Trees] = {}
    for held_out in folds:
        trees = fit_trees([table for table in tables if table.name not in held_out])
        fitted |= dict.fromkeys(held_out, trees)
    return fitted


def choose_biases(tables: Sequence[BeatTable], probabilities: Mapping[str, Probabilities]) -> BeatReading:
    """Choose how readily a beat is called S or V: the highest F1 after EC57, its mean over the databases.

    Parameters
    ----------
    tables, probabilities : beats of each record, and what trees that have not seen it say of them
    """
    by_database: dict[str, list[BeatTable]] = defaultdict(list)
    for table in tables:
        by_database[database_of(table.name)[0].name].append(table)

    def mean_f1(letter: str, neutral: str, biases: Sequence[float]) -> float:
        found = [
            f1
            for some in by_database.values()
            if sum(table.annotated[letter] for table in some) >= _MIN_BEATS
            and (f1 := pooled_f1(some, probabilities, letter, neutral, biases)) is not None
        ]
        return float(np.mean(found)) if found else 0.0

    # One after the other: a beat is rarely in doubt between the two.
    v = max(_BIASES.tolist(), key=lambda bias: mean_f1("V", "FQ", (0.0, 0.0, bias, 0.0)))
    s = max(_BIASES.tolist(), key=lambda bias: mean_f1("S", "Q", (0.0, bias, v, 0.0)))
    return BeatReading(biases=(0.0, s, v, 0.0))


def called(probabilities: Probabilities, biases: Sequence[float]) -> npt.NDArray[np.str_]:
    """The class that each beat is called: (n,)."""
    weighed = np.log(np.maximum(probabilities, 1e-9)) + np.array(biases)
    return np.asarray(np.array(AAMI_CLASSES)[weighed.argmax(axis=1)], np.str_)


def pooled_f1(
    tables: Sequence[BeatTable],
    probabilities: Mapping[str, Probabilities],
    letter: str,
    neutral: str,
    biases: Sequence[float],
) -> float | None:
    """F1 of a class over some records; beats whose class is ``neutral`` are no false ones. None without any beat."""
    hits = missed = false = 0
    for table in tables:
        as_called = called(probabilities[table.name], biases) == letter
        right = int((as_called & (table.classes == letter)).sum())
        hits += right
        missed += table.annotated[letter] - right
        false += int((as_called & ~np.isin(table.classes, [letter, *neutral])).sum())
    whole = 2 * hits + missed + false
    return None if whole == 0 else 2 * hits / whole
