"""Confidence intervals of figures by drawing patients anew, not windows.

Windows of one patient are alike: drawn one by one they would make any figure look surer than it is.

Source: the percentile bootstrap of Efron 1979, doi:10.1214/aos/1176344552, over clusters.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from ecg.errors import EcgStreamError

ONE_PERSON = frozenset({"201", "202"})  # of the MIT-BIH Arrhythmia Database: two recordings of one man

T = TypeVar("T")


def by_patient(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Record names, those of one person together, in the order of the first of each."""
    patients: dict[frozenset[str], list[str]] = {}
    for name in names:
        patients.setdefault(ONE_PERSON if name in ONE_PERSON else frozenset({name}), []).append(name)
    return tuple(tuple(patient) for patient in patients.values())


def patient_interval(
    statistic: Callable[[Sequence[T]], float | None],
    per_patient: Sequence[T],
    *,
    draws: int = 1000,
    seed: int = 0,
    share: float = 0.95,
) -> tuple[float, float]:
    """The interval that holds the middle ``share`` of a statistic over patients drawn with replacement.

    Parameters
    ----------
    statistic : takes as many patients' data as there are, some of them several times; None where it is undefined,
        such as an area under the curve without any abnormal window: such draws do not count
    per_patient : the data of each patient
    draws : how often patients are drawn
    seed : of the draws
    share : between 0 and 1

    Returns
    -------
    lower and upper end

    Raises
    ------
    EcgStreamError : without patients, draws or a share between 0 and 1, or when no draw has a value
    """
    if not per_patient or draws < 1 or not 0 < share < 1:
        raise EcgStreamError(
            f"patients={len(per_patient)}, draws={draws}, share={share}: "
            "give a patient or more, a draw or more, and a share between 0 and 1"
        )
    random = np.random.default_rng(seed)
    chosen = random.integers(len(per_patient), size=(draws, len(per_patient)))
    drawn = (statistic([per_patient[patient] for patient in row]) for row in chosen)
    values = [value for value in drawn if value is not None]
    if not values:
        raise EcgStreamError(
            f"the figure is undefined in all {draws} draws of {len(per_patient)} patients: add records"
        )
    lower, upper = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    return float(lower), float(upper)
