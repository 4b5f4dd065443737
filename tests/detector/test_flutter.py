"""The first flutter of record 207, through the detector as it ships."""

from dataclasses import replace

import pytest

from detector.offline import EPOCH_NS, verdicts_of
from detector.scorer import Scorer
from ecg.data import data_directory
from ecg.wfdb_files import read_wfdb

SECONDS = 65
S = 1_000_000_000


@pytest.mark.data
@pytest.mark.parametrize("chunk_s", [0.25, 1.0])
def test_flutter_is_told_first_in_each_of_its_windows(scorer: Scorer, chunk_s: float) -> None:
    record = read_wfdb(data_directory() / "mitdb" / "207")
    verdicts = verdicts_of(replace(record, samples=record.samples[: SECONDS * 360]), scorer, chunk_s=chunk_s)
    told = {
        verdict.window: ((f.start_ns - EPOCH_NS) // S, (f.end_ns - EPOCH_NS) // S)
        for verdict in verdicts
        for f in verdict.findings
        if f.kind == "ventricular_flutter"
    }
    assert told == {8: (40, 45), 9: (40, 50), 11: (55, 60)}  # annotated: 40.7 to 51.0 and 54.8 to 60.4 s
    for window, (start_s, end_s) in told.items():
        assert verdicts[window].decision == "abnormal"
        assert verdicts[window].reasons[0] == f"ventricular flutter or fibrillation, {end_s - start_s} s"
