"""Flutter in real recordings, clean and with noise: record 207 has six episodes, no other of DS1 has any.

DS1 alone: limits were checked on it, so these are floors, no figures for a patient never seen. Shown by
``pytest tests/ecg/test_fibrillation_records.py -s``.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from ecg.annotations import read_annotations
from ecg.data import data_directory
from ecg.fibrillation import FLUTTER_LEAKAGE, wave_leakage
from ecg.filters import band_pass, resample
from ecg.labels import DS1, flutter_intervals, rhythm_intervals
from ecg.leads import choose_leads
from ecg.records import Float32Array, Record, to_millivolts
from ecg.wfdb_files import read_noise, read_wfdb
from producer.noise import noise_for
from tests.ecg.rhythms import S, follow

pytestmark = pytest.mark.data("mitdb", "nstdb")
MITDB, NSTDB = data_directory() / "mitdb", data_directory() / "nstdb"
FS_HZ = 100
FLUTTER = "207"
OTHERS = tuple(record for record in DS1 if record != FLUTTER)
Spans = list[tuple[float, float]]


@dataclass(frozen=True)
class Check:
    """Stretches of one record, in s: ``slow`` as the verdicts tell them, ``every_second`` on the newest 4 s."""

    slow: Spans
    every_second: npt.NDArray[np.bool_]


@cache
def noise_record(name: str) -> Record:
    return read_noise(NSTDB / name)


def signal(record: str, noise: str | None, snr_db: float) -> Float32Array:
    """The lead that is judged, (n,), filtered; with noise that begins anywhere."""
    both = read_wfdb(MITDB / record)
    lead = choose_leads(both.leads)[0]
    only = slice(lead, lead + 1)
    recorded = replace(
        both, leads=both.leads[only], samples=both.samples[:, only], gain=both.gain[only], baseline=both.baseline[only]
    )
    millivolts = to_millivolts(recorded.samples, recorded.gain, recorded.baseline)[:, 0]
    if noise is not None:
        added = noise_for(recorded, noise_record(noise), snr_db)[:, 0]
        begin = np.random.default_rng(int(record)).integers(len(added))
        millivolts = millivolts + np.roll(np.resize(added, len(millivolts)), begin)
    at_rate = resample(np.nan_to_num(millivolts)[None], recorded.fs_hz, to_hz=FS_HZ)
    return np.asarray(band_pass(at_rate, FS_HZ)[0], np.float32)


def check(record: str, noise: str | None = None, snr_db: float = 0) -> Check:
    whole = signal(record, noise, snr_db)
    by_second = np.lib.stride_tricks.sliding_window_view(whole, 4 * FS_HZ)[::FS_HZ]
    windows = whole[: len(whole) // (5 * FS_HZ) * 5 * FS_HZ].reshape(-1, 5 * FS_HZ)
    leakage = dict(enumerate(wave_leakage(windows, FS_HZ).tolist()))
    raised = follow([], [(number + 1) * 5 * S for number in range(len(windows))], leakage=leakage)
    last = {f.start_ns: f for found in raised for f in found if f.kind == "ventricular_flutter"}
    return Check(
        slow=[(f.start_ns / S, f.end_ns / S) for f in last.values()],
        every_second=wave_leakage(by_second, FS_HZ) < FLUTTER_LEAKAGE,
    )


def annotated(record: str, *names: str) -> Spans:
    """Annotated flutter, or the rhythms of these names."""
    annotations = read_annotations(MITDB / record)
    found = rhythm_intervals(annotations) if names else flutter_intervals(annotations)
    return [(i.start / 360, 1806 if i.end is None else i.end / 360) for i in found if not names or i.name in names]


def within(spans: Spans, starts_s: npt.NDArray[np.int64], length_s: float) -> npt.NDArray[np.float64]:
    """How much of each stretch lies in the spans, s."""
    inside = np.zeros(len(starts_s))
    for start_s, end_s in spans:
        inside += np.clip(np.minimum(starts_s + length_s, end_s) - np.maximum(starts_s, start_s), 0, None)
    return inside


def test_each_flutter_of_record_207_is_found_and_nothing_else_in_it() -> None:
    spans, found = annotated(FLUTTER), check(FLUTTER)
    starts = np.arange(len(found.every_second))
    inside = within(spans, starts, 4)
    whole = inside > 3.7
    se = float(found.every_second[whole].mean())
    windows = np.arange(0, 1800, 5)
    raised = within(found.slow, windows, 5) > 4
    whole_windows = within(spans, windows, 5) > 4.7
    first = [int(np.flatnonzero(found.every_second & (starts + 4 > a) & (starts < b))[0]) + 4 - a for a, b in spans]
    print(  # noqa: T201 - the figures
        f"\n207: {se:.3f} of {whole.sum()} checks of 4 s wholly in flutter, "
        f"{raised[whole_windows].mean():.3f} of {whole_windows.sum()} windows, findings {found.slow}; "
        f"seconds of flutter before the first check that shows it {[round(s, 1) for s in first]}"
    )
    assert se >= 0.9
    assert raised[whole_windows].mean() >= 0.95
    assert max(first) < 4
    assert not found.every_second[inside == 0].any()
    # A short one lies across two windows, each with much of the slower rhythm around: the checks above tell of it.
    assert sum(any(start < b and end > a for start, end in found.slow) for a, b in spans) >= len(spans) - 1
    for start, end in found.slow:
        assert any(start < b and end > a for a, b in spans)


@pytest.mark.parametrize(
    ("noise", "snr_db", "most_per_hour", "most_checks"),
    [(None, 0, 0, 0), ("em", 12, 0.3, 10), ("em", 6, 0.3, 10)],
)
def test_nobody_else_has_flutter_but_in_ventricular_tachycardia(
    noise: str | None, snr_db: float, most_per_hour: float, most_checks: int
) -> None:
    """Fast ventricular tachycardia is waves as well, and as urgent."""
    false: list[tuple[str, float]] = []
    in_tachycardia: list[tuple[str, float]] = []
    looks = 0
    for record in OTHERS:
        found = check(record, noise, snr_db)
        tachycardia = [(start_s - 5, end_s + 5) for start_s, end_s in annotated(record, "(VT")]
        starts = np.arange(len(found.every_second))
        looks += int((found.every_second & (within(tachycardia, starts, 4) == 0)).sum())
        for start, end in found.slow:
            (in_tachycardia if any(start < b and end > a for a, b in tachycardia) else false).append((record, start))
    hours = len(OTHERS) * 1805 / 3600
    print(  # noqa: T201 - the figures
        f"\n{noise or 'clean'} {snr_db} dB: {len(false)} false findings in {hours:.1f} h {false}, "
        f"{looks} false checks of 4 s of {len(OTHERS) * 1802}, in annotated tachycardia {in_tachycardia}"
    )
    assert len(false) <= most_per_hour * hours
    assert looks <= most_checks


@pytest.mark.parametrize("noise", ["em", "bw"])
def test_noise_without_a_heart_is_no_flutter(noise: str) -> None:
    recorded = noise_record(noise)
    millivolts = np.nan_to_num(to_millivolts(recorded.samples, recorded.gain, recorded.baseline)).T
    leads = band_pass(resample(np.ascontiguousarray(millivolts), recorded.fs_hz, to_hz=FS_HZ), FS_HZ)
    for lead in leads:
        looks = np.lib.stride_tricks.sliding_window_view(lead, 4 * FS_HZ)[::FS_HZ]
        assert (wave_leakage(looks, FS_HZ) < FLUTTER_LEAKAGE).mean() < 0.001
