"""Beats classed by the beat map alone: stands for the trees, where a test says what a beat is."""

from math import exp

from detector.beat_features import NAMES, Floats
from detector.manifest import BeatReading

EVEN = BeatReading(biases=(0.0, 0.0, 0.0, 0.0))
_ODDS = [NAMES.index(name) for name in ("s_odds", "v_odds", "f_odds")]


def by_network(features: Floats) -> list[list[float]]:
    """Probabilities of the classes N, S, V, F as the beat map's odds have them."""
    found = []
    for row in features.tolist():
        powers = [1.0, *(exp(row[place]) for place in _ODDS)]
        found.append([power / sum(powers) for power in powers])
    return found
