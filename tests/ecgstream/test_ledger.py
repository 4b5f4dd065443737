"""The account of a run."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Verdict
from bus.samples import Chunk
from ecgstream.ledger import Ledger
from tests.alerting.verdicts import START_NS, verdict

FS_HZ = 100.0


def chunk(start_s: float, seconds: float, patient: str = "p1") -> Chunk:
    start = round(start_s * FS_HZ)
    return Chunk(
        patient=patient,
        device="test",
        start_ns=START_NS + round(start_s * 1e9),
        start_index=start,
        fs_hz=FS_HZ,
        leads=("MLII",),
        gain=(200.0,),
        baseline=(0,),
        samples=np.zeros((round(seconds * FS_HZ), 1), np.int16),
    )


def sent(ledger: Ledger, seconds: float, patient: str = "p1") -> None:
    for offset in range(round(seconds)):
        ledger.sent(chunk(offset, 1.0, patient), offset)


def anomalous(window: int) -> Verdict:
    return verdict(window, "abnormal")


def test_a_whole_run_has_nothing_lost() -> None:
    ledger = Ledger()
    sent(ledger, 15)
    for window, decision in enumerate(("normal", "abnormal", "unusable")):
        ledger.judged(verdict(window, decision), latency_ms=10.0 * (window + 1))  # type: ignore[arg-type] # a literal
    ledger.reported(anomalous(1))
    assert ledger.summary() == {
        "patients": 1,
        "samples": 1500,
        "windows": 3,
        "anomalies": 1,
        "alerts": 0,
        "latency_ms": {"p50": 20.0, "p99": 29.8},
        "lost": 0,
        "duplicated": 0,
    }


def test_a_window_without_a_verdict_is_lost_once_all_its_samples_are_sent() -> None:
    ledger = Ledger()
    sent(ledger, 9)
    assert ledger.missing == 1
    ledger.judged(verdict(0, "normal"), None)
    assert ledger.missing == 0
    sent_more = chunk(9, 1.0)
    ledger.sent(sent_more, 9)
    assert ledger.missing == 1


def test_an_abnormal_verdict_without_its_anomaly_is_lost() -> None:
    ledger = Ledger()
    sent(ledger, 5)
    ledger.judged(anomalous(0), None)
    assert ledger.missing == 1
    ledger.reported(anomalous(0))
    assert ledger.missing == 0


def test_the_same_window_of_another_stream_is_another_window() -> None:
    ledger = Ledger()
    sent(ledger, 5)
    ledger.judged(verdict(0, "normal", stream_start_ns=START_NS + 1), None)
    assert ledger.missing == 1


@given(st.lists(st.integers(0, 5), max_size=30))
def test_every_repetition_is_counted(windows: list[int]) -> None:
    ledger = Ledger()
    for window in windows:
        ledger.judged(verdict(window, "normal"), None)
    assert ledger.windows == len(set(windows))
    assert ledger.duplicated == len(windows) - len(set(windows))
