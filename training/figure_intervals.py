"""Intervals of all figures that a function gives, over patients drawn anew: for databases that have their own form."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

DRAWS = 1000
_SHARE = 0.95
_DIGITS = 6

T = TypeVar("T")
Figures = Mapping[str, Any]


def figure_intervals(
    figures: Callable[[Sequence[T]], Figures], per_patient: Sequence[T], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Any]:
    """The 95 % interval of every fraction and rate among some figures; counts, which are whole numbers, have none.

    Parameters
    ----------
    figures : takes as many patients' data as there are, some of them several times; nested mappings of numbers, None
        where one is undefined: such draws do not count
    per_patient : the data of each patient
    draws : how often patients are drawn, with replacement
    seed : of the draws

    Returns
    -------
    the same nested mappings, each number's (low, high) in its place; None where fewer than two patients leave nothing
    to draw, or the figure is undefined. Source: as ``training.intervals``
    """
    whole = figures(per_patient)
    if len(per_patient) < 2:
        return _merged(whole, ())
    random = np.random.default_rng(seed)
    chosen = random.integers(len(per_patient), size=(draws, len(per_patient)))
    return _merged(whole, [figures([per_patient[patient] for patient in row]) for row in chosen])


def _merged(whole: Figures, drawn: Sequence[Figures | None]) -> dict[str, Any]:
    """Each number's interval in its place. ``drawn`` may lack a part that a draw had nothing of."""
    found: dict[str, Any] = {}
    for name, figure in whole.items():
        of_draws = [each.get(name) for each in drawn if each is not None]
        if isinstance(figure, Mapping):
            found[name] = _merged(figure, of_draws)
        elif figure is None:
            found[name] = None
        elif isinstance(figure, float):
            values = [value for value in of_draws if value is not None]
            ends = np.quantile(values, [(1 - _SHARE) / 2, (1 + _SHARE) / 2]) if values else None
            found[name] = None if ends is None else tuple(round(float(end), _DIGITS) for end in ends)
    return found
