"""Drift of the scores: how far what is judged now lies from what the models learned from. Pure."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

ScoreName = Literal["fused", "cnn", "autoencoder"]

REFERENCE = "score_reference.json"
BINS = 10  # deciles of the reference, as the index is used everywhere
HALF_LIFE_S = 3600.0  # what an hour ago was judged counts half: a shift of patients shows, a bad minute does not
LEAST_WINDOWS = 200.0  # by chance alone the index of so many is 0.05, half of what is called a small shift
SMALLEST_SHARE = 1e-4  # an empty bin: the logarithm of nothing is none
DECAY_EVERY_S = 1.0


class ScoreDistribution(BaseModel):
    """Scores of the training windows: the edges between the bins, ascending, and the share of the windows in each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    edges: Annotated[tuple[float, ...], Field(min_length=BINS - 1, max_length=BINS - 1)]
    shares: Annotated[tuple[float, ...], Field(min_length=BINS, max_length=BINS)]

    @classmethod
    def of(cls, scores: Sequence[float]) -> "ScoreDistribution":
        """Return the distribution of scores, in bins that hold as many each as their ties allow."""
        edges = np.quantile(np.asarray(scores), np.arange(1, BINS) / BINS)
        counts = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=BINS)
        return cls(
            edges=tuple(round(float(edge), 6) for edge in edges),
            shares=tuple(round(float(share), 6) for share in counts / len(scores)),
        )

    def bin_of(self, score: float) -> int:
        """Return the bin of a score."""
        return bisect_right(self.edges, score)


class ScoreReference(BaseModel):
    """``score_reference.json``: what the models give on the records that their networks learned from.

    Attributes
    ----------
    models : versions of the models; those of others say nothing about these
    records : the records
    windows : how many windows of them have scores
    scores : of each score, how it is distributed over these windows
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    models: dict[str, str]
    records: tuple[str, ...]
    windows: int
    scores: dict[ScoreName, ScoreDistribution]


def load_reference(directory: Path, versions: Mapping[str, str]) -> ScoreReference | None:
    """Return the reference that lies beside models; None where there is none for them: they judge all the same.

    Parameters
    ----------
    directory : of the models
    versions : of the models, as their manifest has them
    """
    path = directory / REFERENCE
    try:
        reference = ScoreReference.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        _warn("score_reference_unreadable", path=path, error=str(error))
        return None
    if reference.models != dict(versions) or set(reference.scores) != set(get_args(ScoreName)):
        _warn("score_reference_of_other_models", path=path, models=reference.models)
        return None
    return reference


def _warn(event: str, *, path: Path, **said: object) -> None:
    import structlog  # noqa: PLC0415 # whoever scores a file reads the reference, and few references are amiss

    structlog.get_logger(__name__).warning(event, path=str(path), **said)


def stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """Return the population stability index of shares found against those expected.

    By common use, below 0.1 nothing has changed, and above 0.25 it is another population.

    Source: Yurdakul and Naranjo, J Risk Model Validation 14(4) (2020) 89, doi:10.21314/JRMV.2020.227.
    """
    pairs = [(max(e, SMALLEST_SHARE), max(f, SMALLEST_SHARE)) for e, f in zip(expected, found, strict=True)]
    return sum((f - e) * math.log(f / e) for e, f in pairs)


class DriftMeter:
    """Counts of the scores given lately, held against a reference.

    Parameters
    ----------
    reference : what the scores should be like; None where nobody knows
    """

    def __init__(self, reference: ScoreReference | None) -> None:
        self._reference = reference
        names: tuple[ScoreName, ...] = get_args(ScoreName)
        self._counts: dict[ScoreName, npt.NDArray[np.float64]] = {name: np.zeros(BINS) for name in names}
        self._decayed_s = 0.0

    def add(self, scores: Mapping[ScoreName, float], now_s: float) -> None:
        """Count the scores of one window.

        Parameters
        ----------
        scores : by name
        now_s : monotonic seconds
        """
        if self._reference is None:
            return
        self._decay(now_s)
        for name, score in scores.items():
            self._counts[name][self._reference.scores[name].bin_of(score)] += 1.0

    def indices(self, now_s: float) -> dict[ScoreName, float]:
        """Return the population stability index of each score; NaN while too few windows count, or for ever.

        Parameters
        ----------
        now_s : monotonic seconds
        """
        self._decay(now_s)
        return {name: self._index(name) for name in self._counts}

    def _index(self, name: ScoreName) -> float:
        total = float(self._counts[name].sum())
        if self._reference is None or total < LEAST_WINDOWS:
            return math.nan
        return stability_index(self._reference.scores[name].shares, (self._counts[name] / total).tolist())

    def _decay(self, now_s: float) -> None:
        passed_s = now_s - self._decayed_s
        if passed_s < DECAY_EVERY_S:
            return
        self._decayed_s = now_s
        for name in self._counts:
            self._counts[name] *= 0.5 ** (passed_s / HALF_LIFE_S)
