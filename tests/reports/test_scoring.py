"""A recording's verdicts as one result."""

from pathlib import Path

import numpy as np
import pytest

from alerting.rules import load_rules
from bus.messages import Decision, Finding, Verdict
from detector.offline import EPOCH_NS
from detector.scorer import Scorer
from ecg.files import read_recording
from ecg.findings import FindingKind
from ecg.npy_files import WindowSet
from ecg.records import MISSING, Record
from ecg.wfdb_files import toy_record
from models import SHIPPED
from reports.scoring import result_of, score_file, scored
from tests.alerting.verdicts import verdict

RULES = load_rules()
RECORD = Record(
    name="r", fs_hz=360.0, leads=("MLII",), samples=np.zeros((3600, 1), np.int16), gain=(200.0,), baseline=(0,)
)


def result(*decisions: Decision) -> dict[str, object]:
    verdicts = [verdict(window, decision, stream_start_ns=EPOCH_NS) for window, decision in enumerate(decisions)]
    return result_of(RECORD, verdicts, RULES, file="f")


def test_an_episode_is_a_finding_and_makes_the_file_abnormal() -> None:
    scored = result("normal", "abnormal", "abnormal", "abnormal", "normal", "normal", "normal", "normal")
    assert scored["findings"] == [{"start_s": 5.0, "end_s": 20.0, "kind": "abnormal_window", "priority": "low"}]
    assert scored["aggregate"] == {"decision": "abnormal", "confidence": 0.9, "abnormal_fraction": 0.375}


def test_an_episode_that_the_file_ends_in_reaches_its_last_window() -> None:
    scored = result("normal", "abnormal", "abnormal", "abnormal", "abnormal")
    assert scored["findings"] == [{"start_s": 5.0, "end_s": 25.0, "kind": "abnormal_window", "priority": "low"}]


def test_a_stray_window_is_told_and_makes_no_abnormal_file() -> None:
    scored = result("normal", "normal", "abnormal", "normal", "normal")
    assert scored["findings"] == []
    assert scored["aggregate"] == {"decision": "normal", "confidence": 0.9, "abnormal_fraction": 0.2}


def test_in_a_file_too_short_for_an_episode_one_window_is_enough() -> None:
    assert result("abnormal")["aggregate"] == {"decision": "abnormal", "confidence": 0.9, "abnormal_fraction": 1.0}


def test_a_file_that_cannot_be_judged_has_no_confidence() -> None:
    scored = result("unusable", "unusable")
    assert scored["aggregate"] == {"decision": "unusable", "confidence": None, "abnormal_fraction": None}
    assert [finding["kind"] for finding in scored["findings"]] == ["poor_signal"]  # type: ignore[attr-defined] # JSON


def test_a_rhythm_that_spans_windows_is_one_finding() -> None:
    def at(window: int, *found: Finding) -> Verdict:
        return verdict(window, "normal", stream_start_ns=EPOCH_NS).model_copy(update={"findings": found})

    def run(end_s: int, beats: int) -> Finding:
        kind: FindingKind = "couplet" if beats == 2 else "ventricular_run"
        return Finding(kind=kind, start_ns=EPOCH_NS + 4 * 10**9, end_ns=EPOCH_NS + end_s * 10**9, beats=beats)

    slow = Finding(kind="bradycardia", start_ns=EPOCH_NS + 10**9, end_ns=EPOCH_NS + 9 * 10**9, beats=5)
    scored = result_of(RECORD, [at(0, run(5, 2)), at(1, slow, run(7, 3)), at(2, run(11, 4))], RULES, file="f")
    assert scored["findings"] == [
        {"start_s": 1.0, "end_s": 9.0, "kind": "bradycardia", "priority": "medium"},
        {"start_s": 4.0, "end_s": 11.0, "kind": "ventricular_run", "priority": "medium"},
    ]
    assert scored["aggregate"]["decision"] == "normal"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(SHIPPED)


def test_windows_of_a_set_are_judged_each_on_its_own(tmp_path: Path, scorer: Scorer) -> None:
    signal = toy_record().samples[: 360 * 60] / 200
    np.save(tmp_path / "rows.npy", signal.reshape(4, 360 * 15, 1))
    np.save(tmp_path / "third.npy", signal[360 * 30 : 360 * 45])
    rows = read_recording(tmp_path / "rows.npy", fs_hz=360)
    assert isinstance(rows, WindowSet)
    found = scored(rows, scorer, RULES, file="rows.npy")
    result = found.result
    assert [(row["row"], row["start_s"], row["end_s"]) for row in result["rows"]] == [
        (0, 0.0, 15.0),
        (1, 25.0, 40.0),
        (2, 50.0, 65.0),
        (3, 75.0, 90.0),
    ]
    assert [window["row"] for window in result["windows"]] == [row for row in range(4) for _ in range(3)]
    alone = score_file(tmp_path / "third.npy", scorer, RULES, fs_hz=360)
    of_third = [window for window in result["windows"] if window["row"] == 2]
    for window, expected in zip(of_third, alone["windows"], strict=True):
        assert window["fused"] == pytest.approx(expected["fused"], abs=0.02)  # quantised with the other windows
        assert window["decision"] == expected["decision"]
    # Verdicts and record lie on one axis: what is drawn under a verdict is what it is about.
    for each in found.verdicts:
        start = round((each.start_ns - each.stream_start_ns) / 1e9 * 360)
        assert start == 5 * 360 * each.window
        assert (found.record.samples[start : start + 5 * 360] != MISSING).all()


def test_a_window_of_a_set_sees_nothing_of_its_neighbour(tmp_path: Path, scorer: Scorer) -> None:
    row = toy_record().samples[: 360 * 5] / 200
    np.save(tmp_path / "a.npy", np.stack([row, row, row]))
    windows = scored(read_recording(tmp_path / "a.npy", fs_hz=360), scorer, RULES, file="a.npy").result["windows"]
    assert len({(each["cnn"], each["autoencoder"], each["fused"]) for each in windows}) == 1
