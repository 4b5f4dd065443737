"""Windows of noise: neither normal nor abnormal, with their reason, and the other lead where it is better."""

from dataclasses import replace

import numpy as np
import pytest

from detector.offline import judge_record
from detector.scorer import Scorer
from ecg.records import Record
from tests.support.verdicts import verdicts_of

DROWNED_S = (30, 45)  # three windows
CLEAN = (*range(6), *range(9, 14))


def drowned(record: Record, column: int | None = None) -> Record:
    """The record with muscle noise of three times its size in three windows, of one lead or of all."""
    first, end = (round(at_s * record.fs_hz) for at_s in DROWNED_S)
    samples = record.samples.copy()
    columns = slice(None) if column is None else slice(column, column + 1)
    span = samples[first:end, columns]
    size = 3 * record.samples.std(axis=0)[columns]
    samples[first:end, columns] = (span + np.random.default_rng(0).normal(0, size, span.shape)).astype(np.int16)
    return replace(record, samples=samples)


@pytest.fixture
def two_leads(excerpt: Record) -> Record:
    other = np.roll(excerpt.samples // 2, round(0.01 * excerpt.fs_hz), axis=0)
    return replace(
        excerpt,
        leads=("MLII", "V5"),
        samples=np.hstack([excerpt.samples, other]),
        gain=excerpt.gain * 2,
        baseline=excerpt.baseline * 2,
    )


def test_a_window_of_noise_is_neither_normal_nor_abnormal(excerpt: Record, scorer: Scorer) -> None:
    verdicts = verdicts_of(drowned(excerpt), scorer)
    for verdict in verdicts[6:9]:
        assert verdict.decision == "unusable"
        assert verdict.quality.flags == ("noisy",)
        assert verdict.quality.noise > 0.5
        assert verdict.reasons == ("noisy",)
        assert (verdict.fused, verdict.beats, verdict.findings, verdict.heart_rate_bpm) == (None, (), (), None)
    for window in CLEAN:
        assert verdicts[window].decision != "unusable"
        assert "noisy" not in verdicts[window].quality.flags


def test_the_other_lead_is_judged_where_the_first_is_noise(two_leads: Record, scorer: Scorer) -> None:
    verdicts = verdicts_of(drowned(two_leads, column=0), scorer)
    assert [verdict.lead for verdict in verdicts[5:10]] == ["MLII", "V5", "V5", "V5", "MLII"]
    for verdict in verdicts[6:9]:
        assert verdict.decision != "unusable"
        assert verdict.quality.flags == ()
        assert "judged on lead V5: MLII is unusable" in verdict.reasons


def test_noise_in_the_other_lead_changes_no_lead(two_leads: Record, scorer: Scorer) -> None:
    assert {verdict.lead for verdict in verdicts_of(drowned(two_leads, column=1), scorer)} == {"MLII"}


def test_noise_in_both_leads_is_unusable(two_leads: Record, scorer: Scorer) -> None:
    verdicts = verdicts_of(drowned(two_leads), scorer)
    assert [verdict.window for verdict in verdicts if verdict.decision == "unusable"] == [6, 7, 8]


def test_a_flutter_is_told_in_whatever_it_is(excerpt: Record, scorer: Scorer) -> None:
    first, end = (round(at_s * excerpt.fs_hz) for at_s in DROWNED_S)
    t_s = np.arange(end - first) / excerpt.fs_hz
    samples = excerpt.samples.copy()
    wave = (0.4 + 0.2 * np.sin(2 * np.pi * 0.23 * t_s)) * np.sin(2 * np.pi * np.cumsum(4.5 + np.sin(2 * t_s)) / 360)
    samples[first:end, 0] = np.rint(excerpt.baseline[0] + excerpt.gain[0] * wave)
    messages = list(judge_record(replace(excerpt, samples=samples), scorer))
    published = {finding.kind for verdict in messages if hasattr(verdict, "findings") for finding in verdict.findings}
    assert "ventricular_flutter" in published
