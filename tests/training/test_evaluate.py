import io
import json
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

from bus.messages import Alert, Beat, Continuity, Quality, Verdict
from detector.manifest import Thresholds
from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from training.evaluate import evaluate
from training.evaluation_table import tables

FS_HZ = 250.0
START_NS = 1_000_000_000_000
THRESHOLDS = Thresholds(cnn=0.4, autoencoder=0.6, fused=0.5)


def _verdict(window: int, score: float | None, beats: tuple[tuple[float, str], ...] = ()) -> Verdict:
    return Verdict(
        id=f"p/{START_NS}/{window}",
        patient="p",
        device="d",
        stream_start_ns=START_NS,
        window=window,
        start_ns=START_NS + window * 5_000_000_000,
        end_ns=START_NS + (window + 1) * 5_000_000_000,
        fs_hz=FS_HZ,
        leads=("MLII",),
        lead="MLII",
        decision="unusable" if score is None else "abnormal" if score >= 0.5 else "normal",
        cnn=score,
        autoencoder=score,
        autoencoder_error=score,
        fused=score,
        threshold=0.5,
        beats=tuple(
            Beat(t_ns=START_NS + round(time_s * 1e9), beat_class=letter, confidence=0.9) for time_s, letter in beats
        ),
        heart_rate_bpm=None,
        quality=Quality(missing=0, flat=0, clipped=0, noise=0),
        continuity=Continuity(),
        reasons=(),
        models={},
    )


def _annotations(*beats: tuple[float, str]) -> Annotations:
    return Annotations(
        sample=np.array([round(time_s * FS_HZ) for time_s, _ in beats], np.int64),
        symbol=tuple(symbol for _, symbol in beats),
        aux=("",) * len(beats),
    )


# Five windows: normal, ventricular, class Q (left out), normal, supraventricular; the last has no usable signal.
ANNOTATIONS = _annotations((1, "N"), (6, "V"), (7, "N"), (11, "Q"), (16, "N"), (21, "A"))
VERDICTS = [
    _verdict(0, 0.1, ((1.0, "N"),)),
    _verdict(1, 0.9, ((6.05, "V"), (7.0, "N"))),
    _verdict(2, 0.95),
    _verdict(3, 0.55, ((13.0, "N"), (16.1, "S"))),
    _verdict(4, None),
]


def _alert(number: int, onset_s: float, last_s: float, priority: str, kind: str = "physiological") -> list[Alert]:
    return [
        Alert.model_validate(
            {
                "id": f"a{number}",
                "sequence": sequence,
                "patient": "p",
                "device": "d",
                "phase": "start" if sequence == 0 else "end",
                "kind": kind,
                "priority": priority,
                "onset_ns": START_NS + round(onset_s * 1e9),
                "last_ns": START_NS + round((onset_s + 0.1 if sequence == 0 else last_s) * 1e9),
                "end_ns": None,
                "windows": 1,
                "score": 0.9,
                "threshold": 0.5,
                "heart_rate_bpm": None,
                "reasons": (),
                "verdict": "p/0/0",
            }
        )
        for sequence in (0, 1)
    ]


def test_windows_are_counted_by_their_labels() -> None:
    windows = evaluate({"1": VERDICTS}, {"1": ANNOTATIONS}, thresholds=THRESHOLDS).windows
    assert (windows.n, windows.left_out, windows.unusable) == (3, 1, 1)
    assert windows.abnormal_fraction == pytest.approx(1 / 3, abs=1e-6)
    assert windows.fused.confusion == ((1, 1), (0, 1))
    assert windows.fused.auroc == 1.0
    assert windows.autoencoder.confusion == ((2, 0), (0, 1))
    assert windows.autoencoder.threshold == 0.6
    assert (windows.fused.sensitivity, windows.fused.specificity, windows.fused.precision) == (1.0, 0.5, 0.5)


def test_beats_are_counted_over_the_record() -> None:
    beats = evaluate({"1": VERDICTS}, {"1": ANNOTATIONS}, thresholds=THRESHOLDS).beats
    # Found: N 1, V 6, N 7, S (an N) 16; missed: Q 11, A 21; extra: 13.
    assert beats.qrs.se == pytest.approx(4 / 6, abs=1e-6)
    assert beats.qrs.ppv == 0.8
    assert (beats.veb.se, beats.veb.ppv, beats.veb.f1) == (1.0, 1.0, 1.0)
    assert (beats.sveb.se, beats.sveb.ppv) == (0.0, 0.0)
    assert beats.accuracy == 0.75


def test_records_are_pooled_by_their_windows_not_averaged() -> None:
    other = [_verdict(number, 0.2) for number in range(12)]
    report = evaluate(
        {"1": VERDICTS, "2": other}, {"1": ANNOTATIONS, "2": _annotations((1, "N"))}, thresholds=THRESHOLDS
    )
    assert report.records == 2
    assert report.hours == pytest.approx(17 * 5 / 3600, abs=1e-3)
    assert report.windows.n == 15
    assert report.windows.fused.specificity == pytest.approx(13 / 14, abs=1e-6)
    assert report.per_record["2"].windows.n == 12


def test_what_cannot_be_computed_is_null() -> None:
    report = evaluate({"1": [_verdict(0, 0.1)]}, {"1": _annotations((30, "N"))}, thresholds=THRESHOLDS)
    assert report.windows.fused.auroc is None
    assert report.windows.fused.sensitivity is None
    assert report.windows.fused.precision is None
    assert report.beats.qrs.se is None
    assert report.beats.veb.f1 is None
    assert report.alarms is None


def test_the_json_has_the_keys_that_others_read() -> None:
    report = json.loads(
        evaluate({"1": VERDICTS}, {"1": ANNOTATIONS}, thresholds=THRESHOLDS, alerts={"1": []}).model_dump_json()
    )
    assert set(report) >= {"records", "hours", "path", "windows", "beats", "alarms", "per_record"}
    assert set(report["windows"]) >= {"n", "left_out", "abnormal_fraction", "fused", "cnn", "autoencoder"}
    keys = ("auroc", "auprc", "threshold", "sensitivity", "specificity", "precision", "f1", "accuracy", "confusion")
    assert set(report["windows"]["fused"]) == set(keys)
    assert set(report["beats"]) >= {"qrs", "veb", "sveb", "accuracy"}
    assert set(report["beats"]["qrs"]) == {"se", "ppv", "f1"}
    assert set(report["alarms"]) >= {"high", "medium", "low", "technical"}
    assert set(report["alarms"]["high"]) == {"count", "false_per_hour"}
    assert set(report["per_record"]["1"]) >= {"windows", "beats", "alarms"}


def test_an_alarm_is_false_when_no_abnormal_window_lies_in_it() -> None:
    alerts = [
        *_alert(1, 5.5, 9.9, "high"),  # the ventricular window
        *_alert(2, 0.0, 9.9, "high"),  # begins too early but holds it; its first message alone would be false
        *_alert(3, 15.0, 20.0, "medium"),  # a normal window
        *_alert(4, 20.0, 25.0, "low", kind="technical"),
    ]
    alarms = evaluate({"1": VERDICTS}, {"1": ANNOTATIONS}, thresholds=THRESHOLDS, alerts={"1": alerts}).alarms
    assert alarms is not None
    assert (alarms.high.count, alarms.high.false_per_hour) == (2, 0.0)
    assert alarms.medium.count == 1
    assert alarms.medium.false_per_hour == pytest.approx(3600 / 25)
    assert (alarms.low.count, alarms.technical.count) == (0, 1)
    assert alarms.technical.false_per_hour is None


def test_a_record_without_verdicts_or_annotations_is_named() -> None:
    with pytest.raises(EcgStreamError, match="record 7 has no verdicts"):
        evaluate({"7": []}, {"7": ANNOTATIONS}, thresholds=THRESHOLDS)
    with pytest.raises(EcgStreamError, match="record 7 has no annotations"):
        evaluate({"7": VERDICTS}, {}, thresholds=THRESHOLDS)


def test_the_table_shows_every_record_and_a_dash_for_nothing() -> None:
    report = evaluate({"1": VERDICTS}, {"1": ANNOTATIONS}, thresholds=THRESHOLDS, alerts={"1": []})
    shown = io.StringIO()
    Console(width=160, file=shown).print(tables(report))
    text = shown.getvalue()
    assert "3 windows of 1 records" in text
    assert "ventricular" in text
    # Record 1: a third abnormal, and no supraventricular beat was found.
    row = next(line for line in text.splitlines() if line.startswith("│ 1 "))
    assert row.split()[3] == "0.33"


def test_the_evaluation_needs_nothing_of_training() -> None:
    code = (
        "import sys, training.evaluate, training.evaluation_table\n"
        "print(sorted({'torch', 'sklearn', 'onnx', 'onnxruntime', 'wfdb'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
