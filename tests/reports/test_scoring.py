"""A recording's verdicts as one result."""

import dataclasses
import errno
import re
from pathlib import Path

import numpy as np
import pytest

from alerting.rules import load_rules
from bus.messages import Decision, Finding, Verdict
from detector.offline import EPOCH_NS
from detector.scorer import Scorer
from ecg.data import data_directory
from ecg.errors import EcgStreamError
from ecg.files import open_recording
from ecg.findings import FindingKind
from ecg.npy_files import WindowSet
from ecg.records import MISSING, Record
from ecg.wfdb_files import load_record, toy_record
from models import SHIPPED
from reports.result import result_of
from reports.scoring import NotScoredError, errors_naming, score_file, scored
from tests.alerting.verdicts import verdict

RULES = load_rules()
RECORD = Record(
    name="r", fs_hz=360.0, leads=("MLII",), samples=np.zeros((3600, 1), np.int16), gain=(200.0,), baseline=(0,)
)


def result(*decisions: Decision) -> dict[str, object]:
    verdicts = [verdict(window, decision, stream_start_ns=EPOCH_NS) for window, decision in enumerate(decisions)]
    return result_of(RECORD, verdicts, RULES, file="f")


def finding(kind: str, start_s: float, end_s: float, **more: object) -> dict[str, object]:
    """A finding as the JSON has it."""
    return {
        "start_s": start_s,
        "end_s": end_s,
        "kind": kind,
        "priority": "medium",
        "lead": "MLII",
        "rate_bpm": None,
    } | more


def episode(start_s: float, end_s: float) -> dict[str, object]:
    return finding("abnormal_window", start_s, end_s, priority="low")


def test_an_episode_is_a_finding_and_makes_the_file_abnormal() -> None:
    scored = result("normal", "abnormal", "abnormal", "abnormal", "normal", "normal", "normal", "normal")
    assert scored["findings"] == [episode(5.0, 20.0)]
    assert scored["aggregate"] == {
        "decision": "abnormal",
        "confidence": 0.9,
        "abnormal_fraction": 0.375,
        "reason": "abnormal ECG from 0:05, 15 s; 3 of 8 windows abnormal",
    }


def test_an_episode_that_the_file_ends_in_reaches_its_last_window() -> None:
    scored = result("normal", "abnormal", "abnormal", "abnormal", "abnormal")
    assert scored["findings"] == [episode(5.0, 25.0)]


def test_a_stray_window_is_told_and_makes_no_abnormal_file() -> None:
    scored = result("normal", "normal", "abnormal", "normal", "normal")
    assert scored["findings"] == []
    assert scored["aggregate"]["decision"] == "normal"  # type: ignore[index] # JSON


def test_in_a_file_too_short_for_an_episode_one_window_is_enough() -> None:
    assert result("abnormal")["aggregate"] == {
        "decision": "abnormal",
        "confidence": 0.9,
        "abnormal_fraction": 1.0,
        "reason": "1 of 1 windows abnormal",
    }


def test_a_file_that_cannot_be_judged_has_no_confidence() -> None:
    scored = result("unusable", "unusable")
    assert scored["aggregate"] == {
        "decision": "unusable",
        "confidence": None,
        "abnormal_fraction": None,
        "reason": "none of 2 windows could be judged; poor signal from 0:00, 10 s",
    }
    assert [finding["kind"] for finding in scored["findings"]] == ["poor_signal"]  # type: ignore[attr-defined] # JSON


def test_a_rhythm_that_spans_windows_is_one_finding() -> None:
    def at(window: int, *found: Finding) -> Verdict:
        return verdict(window, "normal", stream_start_ns=EPOCH_NS).model_copy(update={"findings": found})

    def run(end_s: int, beats: int) -> Finding:
        kind: FindingKind = "couplet" if beats == 2 else "ventricular_run"
        return Finding(kind=kind, start_ns=EPOCH_NS + 4 * 10**9, end_ns=EPOCH_NS + end_s * 10**9, beats=beats)

    slow = Finding(kind="bradycardia", start_ns=EPOCH_NS + 10**9, end_ns=EPOCH_NS + 9 * 10**9, beats=5)
    last = at(2, run(11, 4)).model_copy(update={"lead": "V5"})
    scored = result_of(RECORD, [at(0, run(5, 2)), at(1, slow, run(7, 3)), last], RULES, file="f")
    assert scored["findings"] == [
        finding("bradycardia", 1.0, 9.0, lead="MLII", rate_bpm=30.0),
        finding("ventricular_run", 4.0, 11.0, lead="V5", rate_bpm=25.7),
    ]
    assert scored["aggregate"]["decision"] == "abnormal"


def test_windows_and_findings_name_their_lead() -> None:
    verdicts = [verdict(0, "normal", stream_start_ns=EPOCH_NS), verdict(1, "unusable", stream_start_ns=EPOCH_NS)]
    verdicts[1] = verdicts[1].model_copy(update={"lead": None})
    assert [window["lead"] for window in result_of(RECORD, verdicts, RULES, file="f")["windows"]] == ["MLII", None]


def test_nobody_was_called_so_nothing_is_escalated() -> None:
    verdicts = [verdict(window, "unusable", stream_start_ns=EPOCH_NS, flags=("lead_off",)) for window in range(120)]
    (finding,) = result_of(RECORD, verdicts, RULES, file="f")["findings"]
    assert (finding["kind"], finding["priority"]) == ("lead_off", "low")


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (KeyError("x"), "a.csv cannot be read (KeyError): it is damaged, or of an unknown variety"),
        (MemoryError(), "a.csv needs more memory than scoring may take: split it"),
        (PermissionError(13, "Permission denied"), "a.csv cannot be read (Permission denied): mend that"),
        (EcgStreamError("lead V: the rate is odd"), "a.csv: lead V: the rate is odd"),
        (EcgStreamError("a.csv, row 3: odd"), "a.csv, row 3: odd"),
    ],
)
def test_whatever_a_file_breaks_is_one_error_that_names_it(error: Exception, complaint: str) -> None:
    with pytest.raises(EcgStreamError, match=re.escape(complaint)), errors_naming("a.csv"):
        raise error


def test_a_full_disk_is_no_fault_of_the_file() -> None:
    with pytest.raises(OSError, match="No space"), errors_naming("a.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(SHIPPED)


def test_windows_of_a_set_are_judged_each_on_its_own(tmp_path: Path, scorer: Scorer) -> None:
    signal = toy_record().samples[: 360 * 60] / 200
    np.save(tmp_path / "rows.npy", signal.reshape(4, 360 * 15, 1))
    np.save(tmp_path / "third.npy", signal[360 * 30 : 360 * 45])
    rows = open_recording(tmp_path / "rows.npy", fs_hz=360)
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
        assert (found.recording.in_memory().samples[start : start + 5 * 360] != MISSING).all()


def test_a_window_of_a_set_sees_nothing_of_its_neighbour(tmp_path: Path, scorer: Scorer) -> None:
    row = toy_record().samples[: 360 * 5] / 200
    np.save(tmp_path / "a.npy", np.stack([row, row, row]))
    windows = scored(open_recording(tmp_path / "a.npy", fs_hz=360), scorer, RULES, file="a.npy").result["windows"]
    assert len({(each["cnn"], each["autoencoder"], each["fused"]) for each in windows}) == 1


@pytest.mark.parametrize("samples", [1, 360, 1799])
def test_less_than_one_window_is_an_error_with_its_reason(scorer: Scorer, samples: int) -> None:
    short = dataclasses.replace(RECORD, samples=RECORD.samples[:samples])
    with pytest.raises(NotScoredError, match=r"f.npy: .* s is shorter than one window of 5 s: give a longer recording"):
        scored(short, scorer, RULES, file="folder/f.npy")


def test_one_window_is_enough(scorer: Scorer) -> None:
    record = dataclasses.replace(RECORD, samples=RECORD.samples[:1800])
    assert len(scored(record, scorer, RULES, file="f").result["windows"]) == 1


@pytest.mark.data
@pytest.mark.parametrize("name", ["102", "104", "107", "217"])
def test_paced_records_say_one_thing(scorer: Scorer, name: str) -> None:
    """Today's findings of medium priority and the headline agree."""
    record = load_record(name, data_directory() / "mitdb")
    part = dataclasses.replace(record, samples=record.samples[: 360 * 240])
    result = scored(part, scorer, RULES, file=name).result
    serious = [each for each in result["findings"] if each["priority"] in {"high", "medium"}]
    if serious:
        assert result["aggregate"]["decision"] == "abnormal"
        assert serious[0]["kind"].replace("_", " ") in result["aggregate"]["reason"]
    assert result["aggregate"]["confidence"] >= 0.5


@pytest.mark.data
def test_forty_seconds_without_a_beat_make_no_normal_recording(scorer: Scorer) -> None:
    """A heart that stops after twenty seconds and returns after sixty."""
    record = load_record("100", data_directory() / "mitdb")
    samples = record.samples[: 360 * 120].copy()
    samples[360 * 20 : 360 * 60] = np.random.default_rng(1).normal(1024, 2, (360 * 40, 2))  # noise of the amplifier
    result = scored(dataclasses.replace(record, samples=samples), scorer, RULES, file="100").result
    assert result["aggregate"]["decision"] == "abnormal"
    assert result["aggregate"]["reason"].startswith("asystole from 0:")
    assert result["aggregate"]["confidence"] > 0.5
