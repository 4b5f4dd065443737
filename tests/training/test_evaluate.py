import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from rich.console import Console

from bus.messages import Alert
from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.urgency import PRIORITIES
from tests.alerting.alerts import alert
from tests.training.judged import ANNOTATIONS, START_NS, THRESHOLDS, VERDICTS, annotations, verdict
from training.alarm_tally import TECHNICAL, AlarmCount, AlarmTally
from training.evaluate import evaluate
from training.evaluation_intervals import intervals_of
from training.evaluation_table import disturbance_table, tables
from training.intervals import patient_interval
from training.metrics import auroc
from training.tally import Tally


def _alert(number: int, onset_s: float, last_s: float, priority: str, kind: str = "physiological") -> list[Alert]:
    return [
        alert(
            id=f"a{number}",
            sequence=sequence,
            phase="start" if sequence == 0 else "end",
            kind=kind,
            priority=priority,
            onset_ns=START_NS + round(onset_s * 1e9),
            last_ns=START_NS + round((onset_s + 0.1 if sequence == 0 else last_s) * 1e9),
        )
        for sequence in (0, 1)
    ]


def test_windows_are_counted_by_their_labels() -> None:
    windows = evaluate({"1": VERDICTS}, {"1": ANNOTATIONS}, thresholds=THRESHOLDS).windows
    assert (windows.n, windows.left_out, windows.unusable) == (3, 1, 1)
    assert windows.unusable_share == 0.25
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
    other = [verdict(number, 0.2) for number in range(12)]
    report = evaluate(
        {"1": VERDICTS, "2": other}, {"1": ANNOTATIONS, "2": annotations((1, "N"))}, thresholds=THRESHOLDS
    )
    assert report.records == 2
    assert report.hours == pytest.approx(17 * 5 / 3600, abs=1e-3)
    assert report.windows.n == 15
    assert report.windows.fused.specificity == pytest.approx(13 / 14, abs=1e-6)
    assert report.per_record["2"].windows.n == 12


def test_what_cannot_be_computed_is_null() -> None:
    report = evaluate({"1": [verdict(0, 0.1)]}, {"1": annotations((30, "N"))}, thresholds=THRESHOLDS)
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
    assert "no rhythm is annotated in 1: windows are labelled by their beats alone" in text
    assert "no beat is annotated" not in text
    # Record 1: a third abnormal, and no supraventricular beat was found.
    row = next(line for line in text.splitlines() if line.startswith("│ 1 "))
    assert row.split()[3] == "0.33"


def test_the_disturbances_stand_below_the_undisturbed_row() -> None:
    good = evaluate({"1": [verdict(0, 0.1), verdict(1, 0.9)]}, {"1": annotations((6, "V"))}, thresholds=THRESHOLDS)
    bad = evaluate({"1": [verdict(0, 0.9), verdict(1, 0.1)]}, {"1": annotations((6, "V"))}, thresholds=THRESHOLDS)
    shown = io.StringIO()
    Console(width=160, file=shown).print(disturbance_table(good, {"inverted": bad, "second-lead": None}))
    rows = [line.split() for line in shown.getvalue().splitlines() if line.startswith("│")]
    assert [row[1] for row in rows] == ["none", "inverted", "second-lead"]
    assert [row[5] for row in rows[:2]] == ["1.0000", "0.0000"]


def test_the_evaluation_needs_nothing_of_training() -> None:
    code = (
        "import sys, training.evaluate, training.evaluation_table\n"
        "print(sorted({'torch', 'sklearn', 'onnx', 'onnxruntime', 'wfdb'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_beats_are_confused_by_reference_and_found_class() -> None:
    confusion = evaluate({"1": VERDICTS}, {"1": ANNOTATIONS}, thresholds=THRESHOLDS).beats.confusion
    assert confusion == {
        "N": {"N": 2, "S": 1},
        "V": {"V": 1},
        "S": {"missed": 1},
        "Q": {"missed": 1},
        "extra": {"N": 1},
    }


def test_where_no_beat_is_annotated_none_is_compared() -> None:
    rhythm = Annotations(sample=np.array([0, 1250]), symbol=("+", "+"), aux=("(N", "(AFIB"))
    report = evaluate({"1": VERDICTS}, {"1": rhythm}, thresholds=THRESHOLDS)
    assert (report.beats.qrs.ppv, report.beats.veb.ppv, report.beats.confusion) == (None, None, {})
    record = report.per_record["1"]
    assert (record.beats_annotated, record.rhythms_annotated) == (False, True)
    # Windows 1 to 3 lie in atrial fibrillation; the last has no signal.
    assert report.windows.fused.confusion == ((1, 0), (0, 3))
    record = evaluate({"1": VERDICTS}, {"1": ANNOTATIONS}, thresholds=THRESHOLDS).per_record["1"]
    assert (record.beats_annotated, record.rhythms_annotated) == (True, False)


def test_false_alarms_are_counted_by_record_and_together() -> None:
    alerts = {"1": [*_alert(1, 0.0, 4.0, "high"), *_alert(2, 15.0, 20.0, "low")], "2": []}
    normal = [verdict(number, 0.2) for number in range(5)]
    report = evaluate(
        {"1": VERDICTS, "2": normal},
        {"1": ANNOTATIONS, "2": annotations((1, "N"))},
        thresholds=THRESHOLDS,
        alerts=alerts,
    )
    one, other = report.per_record["1"].alarms, report.per_record["2"].alarms
    assert report.alarms is not None
    assert one is not None
    assert other is not None
    assert (report.alarms.physiological.count, one.physiological.count, other.physiological.count) == (2, 2, 0)
    assert one.high.false_per_hour == one.low.false_per_hour == pytest.approx(3600 / 25)
    assert one.physiological.false_per_hour == pytest.approx(2 * 3600 / 25)
    assert other.physiological.false_per_hour == 0
    assert report.alarms.physiological.false_per_hour == pytest.approx(2 * 3600 / 50)


def test_intervals_hold_the_figures_and_need_two_patients() -> None:
    random = np.random.default_rng(3)
    verdicts, reference = {}, {}
    for name in ("1", "2", "3", "201", "202"):
        odd = random.random(40) < 0.4
        scores = np.clip(0.35 * odd + 0.65 * random.random(40), 0, 1)
        verdicts[name] = [
            verdict(number, float(score), ((5 * number + 1.0, "V" if score > 0.5 else "N"),))
            for number, score in enumerate(scores)
        ]
        reference[name] = annotations(*((5 * number + 1.0, "V" if of else "N") for number, of in enumerate(odd)))
    report = evaluate(verdicts, reference, thresholds=THRESHOLDS)
    sure = report.intervals
    assert sure.patients == 4  # 201 and 202 are one person
    for interval, figure in (
        (sure.windows.fused.auroc, report.windows.fused.auroc),
        (sure.windows.fused.f1, report.windows.fused.f1),
        (sure.beats.veb.se, report.beats.veb.se),
        (sure.beats.veb.ppv, report.beats.veb.ppv),
        (sure.beats.veb.f1, report.beats.veb.f1),
    ):
        assert interval is not None
        assert figure is not None
        assert interval[0] < figure < interval[1]
    assert sure.beats.sveb.se is None
    assert sure.alarms is None
    pooled = {name: verdicts[name] for name in ("201", "202")}
    alone = evaluate(pooled, reference, thresholds=THRESHOLDS).intervals
    assert (alone.patients, alone.windows.fused.auroc, alone.beats.qrs.se) == (1, None, None)


def test_false_alarms_per_hour_have_their_interval() -> None:
    def patient(false: int) -> Tally:
        counts = {kind: AlarmCount() for kind in (*PRIORITIES, TECHNICAL)} | {"medium": AlarmCount(false + 1, false)}
        alarms = AlarmTally(counts=counts, audible=false + 1, runs=Counter(), fast_runs=Counter())
        return Tally(hours=0.5, alarms=alarms)

    sure = intervals_of({str(number): patient(number % 4) for number in range(12)}, THRESHOLDS).alarms
    assert sure is not None
    assert sure.high == (0.0, 0.0)
    assert sure.medium is not None
    assert sure.medium[0] < 3.0 < sure.medium[1]
    assert sure.audible_per_hour is not None
    assert sure.audible_per_hour[0] == pytest.approx(sure.medium[0] + 2)


def test_the_interval_of_an_area_is_that_of_the_area_drawn_by_drawn() -> None:
    random = np.random.default_rng(7)
    drawn: list[tuple[np.ndarray, np.ndarray]] = []
    verdicts, reference = {}, {}
    for name in ("1", "2", "3"):
        odd = random.random(20) < 0.5
        scores = np.round(0.3 * odd + 0.7 * random.random(20), 1)  # with ties
        drawn.append((odd, scores))
        verdicts[name] = [verdict(number, float(score)) for number, score in enumerate(scores)]
        reference[name] = annotations(*((5 * number + 1.0, "V" if of else "N") for number, of in enumerate(odd)))
    found = evaluate(verdicts, reference, thresholds=THRESHOLDS).intervals.windows.cnn.auroc

    def area(chosen: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
        return auroc(np.concatenate([odd for odd, _ in chosen]), np.concatenate([scores for _, scores in chosen]))

    assert found == pytest.approx(patient_interval(area, drawn), abs=1e-6)
