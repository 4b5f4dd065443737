"""The first flutter of record 207, through the detector as it ships: the excerpt begins after 25 s of it."""

from dataclasses import replace

import pytest

from detector.offline import EPOCH_NS
from detector.scorer import Scorer
from tests.support.recordings import recording
from tests.support.verdicts import verdicts_of

SECONDS = 40
S = 1_000_000_000


@pytest.mark.parametrize("chunk_s", [0.25, 1.0])
def test_flutter_is_told_first_in_each_of_its_windows(scorer: Scorer, chunk_s: float) -> None:
    record = recording("207-excerpt")
    verdicts = verdicts_of(replace(record, samples=record.samples[: SECONDS * 360]), scorer, chunk_s=chunk_s)
    found = {
        verdict.window: ((f.start_ns - EPOCH_NS) // S, (f.end_ns - EPOCH_NS) // S)
        for verdict in verdicts
        for f in verdict.findings
        if f.kind == "ventricular_flutter"
    }
    assert found == {3: (15, 20), 4: (15, 25), 6: (30, 35)}  # annotated: 15.7 to 26.0 and 29.8 to 35.4 s
    for window, (start_s, end_s) in found.items():
        assert verdicts[window].decision == "abnormal"
        assert verdicts[window].reasons[0] == f"ventricular flutter or fibrillation, {end_s - start_s} s"
