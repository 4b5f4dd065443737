"""Matching on real recordings against an implementation that no one here wrote: wfdb's comparison of annotations.

DS1 alone. What is found is what a plain QRS detector finds in one lead, so that there are misses, doubles and noise;
in all of DS1, 51,021 annotated beats in each of two leads, the two agree in every pair but one.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from wfdb.processing import compare_annotations

from ecg.annotations import read_annotations
from ecg.beats import find_beats
from ecg.data import data_directory
from ecg.filters import band_pass
from ecg.labels import beat_labels
from ecg.records import to_millivolts
from ecg.wfdb_files import read_wfdb
from training.beat_comparison import MATCH_S, Rates, match

pytestmark = pytest.mark.data
MITDB = data_directory() / "mitdb"
FS_HZ = 360
WINDOW = round(MATCH_S * FS_HZ)
# Lost and doubled beats (208, 203), ventricular flutter (207), noise (108), and the one tie (106, second lead).
CASES = (("101", 0), ("106", 1), ("108", 0), ("203", 1), ("207", 0), ("208", 1))


@dataclass(frozen=True)
class Found:
    """One lead of one record: annotated beats and found ones, in samples."""

    reference: npt.NDArray[np.int64]
    found: npt.NDArray[np.int64]

    def ours(self) -> set[tuple[int, int]]:
        return set(match(self.reference / FS_HZ, self.found / FS_HZ))

    def theirs(self) -> set[tuple[int, int]]:
        # Their window ends before its edge, ours holds it: one sample more makes them equal.
        compared = compare_annotations(self.reference, self.found, WINDOW + 1)
        return {(int(i), int(compared.matching_sample_nums[i])) for i in compared.matched_ref_inds}


@cache
def _found(name: str, column: int) -> Found:
    record = read_wfdb(MITDB / name)
    lead = to_millivolts(record.samples, record.gain, record.baseline)[:, column]
    return Found(
        reference=beat_labels(read_annotations(MITDB / name)).sample,
        found=find_beats(band_pass(lead, record.fs_hz), record.fs_hz),
    )


@pytest.mark.parametrize(("name", "column"), CASES)
def test_the_same_beats_are_paired(name: str, column: int) -> None:
    case = _found(name, column)
    ours, theirs = case.ours(), case.theirs()
    assert len(ours) == len(theirs)
    # Where two found beats are equally near, either may be taken; nothing else may differ.
    for i, j in ours ^ theirs:
        other = next(b for a, b in (theirs if (i, j) in ours else ours) if a == i)
        assert abs(case.reference[i] - case.found[j]) == abs(case.reference[i] - case.found[other])
    assert len(ours ^ theirs) <= 2


@pytest.mark.parametrize(("name", "column"), CASES)
def test_the_same_rates_come_out(name: str, column: int) -> None:
    case = _found(name, column)
    hits = len(case.ours())
    rates = Rates.of(hits=hits, misses=len(case.reference) - hits, false=len(case.found) - hits)
    compared = compare_annotations(case.reference, case.found, WINDOW + 1)
    assert rates.se == pytest.approx(compared.sensitivity, abs=1e-6)
    assert rates.ppv == pytest.approx(compared.positive_predictivity, abs=1e-6)
    assert (len(case.reference) - hits, len(case.found) - hits) == (compared.fn, compared.fp)


@pytest.mark.parametrize("stray_s", [0.03, 0.1, 0.2])
def test_the_same_beats_are_paired_when_each_strays(stray_s: float) -> None:
    reference = _found("208", 0).reference
    random = np.random.default_rng(round(1000 * stray_s))
    strayed = reference + np.round(stray_s * FS_HZ * random.standard_normal(len(reference))).astype(np.int64)
    kept = np.unique(strayed[random.random(len(strayed)) < 0.9])
    extra = random.integers(0, reference[-1], len(reference) // 20)
    case = Found(reference=reference, found=np.unique(np.concatenate([kept, extra])))
    ours, theirs = case.ours(), case.theirs()
    # Found beats closer together than any two QRS are: "the nearest" has no single answer there.
    assert abs(len(ours) - len(theirs)) <= 0.002 * len(theirs)
    assert len(ours & theirs) >= 0.99 * len(theirs)
